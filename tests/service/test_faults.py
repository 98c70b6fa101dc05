"""Whatever is killed, restarted, full or said twice: nothing that was received is lost, and the sender resumes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import event, select, update
from sqlalchemy.pool import Pool

from tests.helpers import run_of
from tests.service.faults import free_port, served, stored, told
from tests.service.postgres import cluster, programs
from tests.service.sending import deltas
from tests.service.serving import serving, until
from tfhealth import load_run
from tfhealth.client import Client, ServerError, push
from tfhealth.client.push import Pushed
from tfhealth.database import DATABASE, opened
from tfhealth.recorder import Recorder
from tfhealth.run import Run
from tfhealth.series import Probe, Site
from tfhealth.service.settings import Settings
from tfhealth.store import finding, receiving
from tfhealth.store.database import Database, connected
from tfhealth.store.tables import Claim, StoredRun
from tfhealth.store.tables.base import now
from tfhealth.wire.delta import Delta, Held
from tfhealth.wire.outgoing import identity


def large(folder: Path) -> Run:
    """Record a run that travels in several deltas."""
    recorder = Recorder(folder)
    recorder.meta(name="large")
    probes = [Probe(Site("activation", f"dense_{number}"), "std") for number in range(500)]
    for place, probe in enumerate(probes):
        recorder.site(probe.site, {}, place)
    values = np.random.default_rng(0).random((1200, len(probes)))
    recorder.append(recorder.layout(probes), np.arange(1200), values)
    recorder.finish("completed")
    recorder.close()
    return load_run(folder)


@contextmanager
def pushing(address: str, run: Path) -> Iterator[Callable[[], Pushed]]:
    """Push in a thread; yield what waits for the end of it."""
    found: list[Pushed] = []

    def work() -> None:
        with Client(address) as client:
            found.append(push(client, run, patience=120))

    thread = threading.Thread(target=work)
    thread.start()

    def joined() -> Pushed:
        thread.join(120)
        return found[0]

    yield joined
    thread.join()


def chunks(database: Database) -> int:
    """Return how many deltas were received."""
    with database.reading() as session:
        return session.scalar(select(StoredRun.revision)) or 0


def test_a_server_that_is_killed_during_a_push_loses_nothing(tmp_path: Path) -> None:
    """SIGKILL after the first delta; another server on the same file, and the sender goes on by itself."""
    sent = large(tmp_path / "run")
    settings = Settings(database=f"sqlite:///{tmp_path / 'service.db'}", workers=1)
    database = connected(settings.database)
    database.upgrade()
    port = free_port()
    first = served(settings, port)
    with pushing(f"http://127.0.0.1:{port}", tmp_path / "run") as joined:
        until(lambda: chunks(database))
        first.send_signal(signal.SIGKILL)
        first.wait()
        assert chunks(database) < 4
        with database.writing() as session:  # as if 20 seconds were over: what a dead worker had begun is free
            session.execute(update(Claim).values(until=now()))
        second = served(settings, port)
        try:
            pushed = joined()
            assert told(stored(database.url, pushed.run)) == told(sent)
            with Client(f"http://127.0.0.1:{port}") as client:
                until(lambda: client.summary("default", pushed.run).verdict)
        finally:
            second.send_signal(signal.SIGTERM)
            assert second.wait(60) in (0, -signal.SIGTERM)
    database.close()


def test_a_database_that_is_restarted_during_a_push_loses_nothing(tmp_path: Path) -> None:
    """PostgreSQL crashes after the first delta and comes back; server, queue and sender go on by themselves."""
    found = programs()
    if found is None:
        pytest.skip("needs Debian's package postgresql")
    sent = large(tmp_path / "run")
    with cluster(found) as own:
        database = connected(own.new())
        database.upgrade()
        with (
            serving(Settings(database=database.url, workers=1)) as address,
            pushing(address, tmp_path / "run") as joined,
        ):
            until(lambda: chunks(database))
            own.stop(signal.SIGQUIT)
            own.start()
            pushed = joined()
            assert told(stored(database.url, pushed.run)) == told(sent)
            with Client(address) as client:
                until(lambda: client.summary("default", pushed.run).verdict)
        database.close()


def test_deltas_that_come_twice_late_or_too_early_change_nothing(url: str, tmp_path: Path) -> None:
    """A delta that was taken is taken again without effect; one that leaves a gap is refused as a whole."""
    sent = large(tmp_path / "run")
    database = connected(url)
    database.upgrade()

    def receive(delta: Delta) -> Held:
        with database.writing() as session:
            return receiving.receive(session, finding.project(session, "default"), name, delta)

    with opened(tmp_path / "run" / DATABASE) as connection:
        name = identity(connection)
        ways = list(deltas(connection, Held(revision=0, rows={})))
    assert len(ways) > 2
    with pytest.raises(receiving.GapError):
        receive(ways[1])
    held = [receive(delta) for delta in (ways[0], ways[0], ways[1], ways[0], ways[1])]
    assert [one.revision for one in held] == [1, 1, 2, 2, 2]
    with pytest.raises(receiving.GapError):
        receive(ways[-1])
    for delta in [*ways[2:], *ways]:
        receive(delta)
    assert told(stored(database.url, name)) == told(sent)
    database.close()


def test_senders_of_the_same_run_to_two_servers_do_not_disturb_each_other(url: str, tmp_path: Path) -> None:
    """Both end, and what is stored is the run, once."""
    sent = large(tmp_path / "run")
    database = connected(url)
    settings = Settings(database=url, workers=1, works=False)
    with (
        serving(settings) as one,
        serving(settings) as two,
        pushing(one, tmp_path / "run") as first,
        pushing(two, tmp_path / "run") as second,
    ):
        assert first().run == second().run
        with Client(two) as client:
            pushed = push(client, tmp_path / "run").run
        assert told(stored(database.url, pushed)) == told(sent)
    database.close()


def test_a_full_disk_is_said_and_got_over(tmp_path: Path) -> None:
    """The sender is told 507; with space again the same push goes on, and the run is judged."""
    sent = large(tmp_path / "run")
    database = connected(f"sqlite:///{tmp_path / 'service.db'}")
    pages = 2**30

    def limit(connection: object, record: object, proxy: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}")  # type: ignore[attr-defined]

    event.listen(Pool, "checkout", limit)
    try:
        with serving(Settings(database=database.url, workers=1)) as address, Client(address) as client:
            pages = 300
            with pytest.raises(ServerError) as caught:
                push(client, tmp_path / "run", patience=0)
            assert (caught.value.status, caught.value.again, caught.value.after) == (507, True, 2.0)
            assert client.whoami().project == "default"
            pages = 2**30
            pushed = push(client, tmp_path / "run")
            assert told(stored(database.url, pushed.run)) == told(sent)
            until(lambda: client.summary("default", pushed.run).verdict)
    finally:
        event.remove(Pool, "checkout", limit)
        database.close()


def test_what_is_compared_sees_one_value(tmp_path: Path) -> None:
    """Two runs that differ in one value are told apart, whatever else is the same."""
    run = run_of({("activation", "dense_0", "std"): [1.0, 2.0]}, folder=tmp_path / "run")
    (table,) = run.tables
    values = table.values.copy()
    values[1] = 3.0
    other = replace(run, tables=(replace(table, values=values),))
    assert [name for name, what in (told(run) or {}).items() if what != (told(other) or {})[name]] == ["tables"]
