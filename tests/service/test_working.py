"""Background work: done once at a time, by whoever is free, however often it fails, dies or is forgotten."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import OperationalError

from tests.helpers import run_of
from tests.service import poison
from tests.service.sending import deltas
from tests.service.serving import serving, until
from tfhealth.client import Client, push
from tfhealth.database import DATABASE, opened
from tfhealth.service import work
from tfhealth.service.rooms import RoomAwayError, RoomError, Rooms
from tfhealth.service.settings import Settings
from tfhealth.service.tasks.judging import JUDGE
from tfhealth.service.tasks.kinds import KINDS
from tfhealth.service.tasks.task import Kind, Means
from tfhealth.store import finding, receiving
from tfhealth.store.claims import Claims
from tfhealth.store.database import Database
from tfhealth.store.tables import Claim, StoredRun
from tfhealth.store.tables.base import now
from tfhealth.wire.delta import Delta, SampleRow, SiteRow, Stretch, SummaryRow
from tfhealth.wire.outgoing import identity

META = {"schema_version": 2, "name": "odd", "status": "completed"}


def verdicts(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(StoredRun.verdict)))


class Counted:
    """The real judging, counted, with who does the same at the same time."""

    def __init__(self) -> None:
        self.times: Counter[int] = Counter()
        self.together: Counter[int] = Counter()
        self._active: Counter[int] = Counter()
        self._lock = threading.Lock()

    def perform(self, means: Means, key: int) -> None:
        with self._lock:
            self.times[key] += 1
            self._active[key] += 1
            self.together[key] = max(self.together[key], self._active[key])
        JUDGE.perform(means, key)
        with self._lock:
            self._active[key] -= 1


def test_two_servers_on_one_database_judge_each_run_once(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs are sent to both in turn, and both work."""
    counted = Counted()
    monkeypatch.setitem(KINDS, "judge", Kind(JUDGE.key, JUDGE.due, counted.perform))
    settings = Settings(database=database.url, workers=1)
    with serving(settings) as one, serving(settings) as two:
        for number in range(6):
            run_of({("loss", "total", "value"): [2.0, 1.0]}, folder=tmp_path / str(number))
            with Client((one, two)[number % 2]) as client:
                push(client, tmp_path / str(number))
        until(lambda: all(verdicts(database)))
    assert sorted(counted.times.values()) == [1] * 6
    assert max(counted.together.values()) == 1


def test_one_server_receives_and_another_works(database: Database, tmp_path: Path) -> None:
    """A server that does not work has its runs judged by one that does."""
    run_of({("loss", "total", "value"): [2.0, 1.0]}, folder=tmp_path / "run")
    settings = Settings(database=database.url, workers=1, works=False)
    with serving(settings) as address, Client(address) as client:
        push(client, tmp_path / "run")
        assert verdicts(database) == [""]
        with serving(settings.model_copy(update={"works": True})):
            until(lambda: verdicts(database) != [""])


def test_what_was_never_asked_for_is_found_and_what_a_dead_worker_had_begun(database: Database, tmp_path: Path) -> None:
    """Killed between commit and job, or while it judged: the tables say what is due."""
    run_of({("loss", "total", "value"): [2.0, 1.0]}, folder=tmp_path / "run")
    with opened(tmp_path / "run" / DATABASE) as connection, database.writing() as session:
        owner, name = finding.project(session, "default"), identity(connection)
        for delta in deltas(connection, receiving.held(session, owner, name)):
            receiving.receive(session, owner, name, delta)
        key = session.scalars(select(StoredRun.key)).one()
    assert Claims(database).take("judge", key)  # by one that dies now: 20 seconds later
    with database.writing() as session:
        session.execute(update(Claim).values(until=now()))
        if not database.is_sqlite:
            session.execute(text("INSERT INTO tfhealth_queue.procrastinate_workers DEFAULT VALUES"))
            columns = "(queue_name, task_name, status, queueing_lock)"
            values = "('tfhealth', 'tfhealth', 'doing', :lock)"
            begun = f"INSERT INTO tfhealth_queue.procrastinate_jobs {columns} VALUES {values}"
            session.execute(text(begun), {"lock": f"judge-{key}"})
    with serving(Settings(database=database.url, workers=1)):
        until(lambda: verdicts(database) != [""])
        if not database.is_sqlite:
            until(lambda: not _jobs(database))


def _jobs(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(text("SELECT count(*) FROM tfhealth_queue.procrastinate_jobs")) or 0


def test_a_claim_is_one_workers_until_it_is_over(database: Database) -> None:
    """Nobody else takes it; when it is given back, rests or runs out, somebody may, or may not yet."""
    one, two = Claims(database), Claims(database)
    assert [one.take("judge", 1), two.take("judge", 1), two.take("judge", 2)] == [True, False, True]
    two.release("judge", 1)  # which is not its own
    assert not two.take("judge", 1)
    one.release("judge", 1)
    assert two.take("judge", 1)
    two.release("judge", 1, timedelta(minutes=1))
    assert not one.take("judge", 1)
    with database.writing() as session:
        session.execute(update(Claim).values(until=now() - timedelta(seconds=1)))
    assert one.take("judge", 1)


def test_a_claim_that_could_not_be_given_back_runs_out(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its worker goes on with other things, and renews the claims of these alone."""
    one, two = Claims(database), Claims(database)
    assert [one.take("judge", key) for key in (1, 2)] == [True, True]
    monkeypatch.setattr(Database, "writing", lambda self: _away())
    with pytest.raises(OperationalError):
        one.release("judge", 1)
    monkeypatch.undo()
    with database.writing() as session:
        session.execute(update(Claim).values(until=now()))
    monkeypatch.setattr("tfhealth.store.claims._RENEW", timedelta(0))
    one.renew()
    assert [two.take("judge", key) for key in (1, 2)] == [True, False]


def _away() -> None:
    raise OperationalError("BEGIN", {}, Exception("the server closed the connection"))


def test_what_a_database_that_was_away_broke_off_is_done_soon(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not rest like work that failed."""
    begun: list[int] = []

    def perform(means: Means, key: int) -> None:
        begun.append(key)
        if len(begun) == 1:
            _away()
        JUDGE.perform(means, key)

    monkeypatch.setitem(KINDS, "judge", Kind(JUDGE.key, JUDGE.due, perform))
    run_of({("loss", "total", "value"): [2.0, 1.0]}, folder=tmp_path / "run")
    with serving(Settings(database=database.url, workers=1)) as address, Client(address) as client:
        push(client, tmp_path / "run")
        until(lambda: all(verdicts(database)), 40)
    assert len(begun) == 2


def test_work_that_always_fails_lets_others_have_their_turn(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is due all the time, and begun once a minute."""
    begun: list[int] = []

    def fail(means: Means, key: int) -> None:
        begun.append(key)
        raise ValueError("as always")

    monkeypatch.setitem(KINDS, "bad", Kind(StoredRun.key, lambda at: select(StoredRun.key), fail))
    with serving(Settings(database=database.url, workers=1)) as address, Client(address) as client:
        for number in range(3):
            run_of({("loss", "total", "value"): [2.0, 1.0]}, folder=tmp_path / str(number))
            push(client, tmp_path / str(number))
        until(lambda: all(verdicts(database)) and len(begun) >= 3)
    assert sorted(Counter(begun).values()) == [1, 1, 1]


def stretch(table: str, *rows: list[object]) -> Stretch:
    return Stretch.model_validate({"table": table, "first": 1, "rows": list(rows)})


def site(number: int, name: str, **attributes: object) -> SiteRow:
    return SiteRow.model_construct(id=number, kind="activation", name=name, position=number, attributes=attributes)


POISON: dict[str, Callable[[], Delta]] = {
    "of a newer schema": lambda: Delta(after=0, meta={**META, "schema_version": 99}, sites=[]),
    "nonsense in every field": lambda: Delta(
        after=0,
        meta={"schema_version": 2, "name": {"a": [1]}, "status": 7, "steps": "x", "started": [], "error": {"b": 1}},
        sites=[site(1, "", layer={"x": [None]}, weighted="\u202e", position=[])],
        samples=[SampleRow(kind="x", name="y", about="[]", data="AAAA", step=0)],
        summaries=[SummaryRow(kind="x", name="y", about="{}", data="AAAA")],
        stretches=[
            stretch("layout", ['{"a": 1}'], ["[[1, 2, 3]]"], ["7"], ['[[1, "std"], [99, "x"]]'], ["[]"]),
            stretch("row", [-(2**61), 99, "AAAA"], [0, 4, "AAAAAAAAAAA="], [2**61, 1, ""], [1, 3, "AA=="]),
            stretch("epoch", [0, 0, "[]"], [-1, 2**61, '{"loss": "x"}'], [1, 1, '{"loss": {}}']),
            stretch("note", ["", "x" * 100_000]),
            stretch("histogram", ["x", "y", 0, "AAAA"]),
        ],
    ),
    "200,000 sites": lambda: Delta(
        after=0, meta=META, sites=[site(number, f"layer_{number}/kernel") for number in range(1, 200_001)]
    ),
}


def test_poison_runs_harm_nobody_else(tmp_path: Path) -> None:
    """Each is received; it is judged or it is said why not, the server answers, and a run after them is judged."""
    run_of({("loss", "total", "value"): [2.0, 1.0]}, folder=tmp_path / "run")
    settings = Settings(database=f"sqlite:///{tmp_path / 'service.db'}", workers=1, seconds=10)
    with serving(settings) as address, Client(address, seconds=120) as client:
        names = {what: f"{number:032x}" for number, what in enumerate(POISON)}
        for what, make in POISON.items():
            client.put("default", names[what], make())
        run = push(client, tmp_path / "run").run
        until(lambda: client.summary("default", run).verdict)
        for what, name in names.items():
            until(lambda name=name: client.summary("default", name).verdict or client.summary("default", name).trouble)
            assert client.whoami().scope == "admin", what
        assert "newer tfhealth" in client.summary("default", names["of a newer schema"]).trouble


def test_rooms_end_what_has_no_end(tmp_path: Path) -> None:
    """In time and memory, and when the process dies of itself; the next thing is done all the same."""
    with Rooms(1, 10, 700) as rooms:
        assert rooms.do(os.getpid) != os.getpid()
        for what, why in (
            (poison.hungry, "took more than 700 MB"),
            (poison.dies, "its process died"),
            (poison.leaves, "its process died"),
            (poison.unspeakable, "1 fault in the rules"),
        ):
            with pytest.raises(RoomError, match=why):
                rooms.do(what)
        idle = rooms.do(os.getpid)
        os.kill(idle, signal.SIGKILL)
        until(lambda: not Path(f"/proc/{idle}").exists())
        assert rooms.do(os.getpid) != idle
    with Rooms(1, 0.5, 700) as rooms, pytest.raises(RoomError, match=r"took longer than 0\.5 s"):
        rooms.do(poison.endless)


def test_rooms_that_close_break_off_what_is_done_and_what_waits() -> None:
    """Neither is told that it was to blame."""
    rooms = Rooms(1, 60, 700)
    said: list[str] = []

    def ask() -> None:
        try:
            rooms.do(poison.endless)
        except RoomAwayError as error:
            said.append(str(error))

    asking = [threading.Thread(target=ask) for _ in range(2)]
    for thread in asking:
        thread.start()
    rooms.close()
    for thread in asking:
        thread.join(60)
    assert said == ["the service stops"] * 2


def test_a_pdf_has_an_end_in_time_and_memory(tmp_path: Path) -> None:
    """The same report is written where the limits allow it, and given up where they do not."""
    run_of({("gradient", "dense/kernel", "nonfinite"): [0.0, 1.0]}, folder=tmp_path / "run")
    settings = Settings(database=f"sqlite:///{tmp_path / 'service.db'}", workers=1)
    with serving(settings) as address, Client(address) as client:
        run = push(client, tmp_path / "run").run
        until(lambda: client.summary("default", run).verdict)
    with Rooms(1, 120, 3000) as rooms:
        assert rooms.do(work.render, settings.database, 1, "", "pdf").startswith(b"%PDF")
    with Rooms(1, 0.2, 3000) as rooms, pytest.raises(RoomError, match="took longer"):
        rooms.do(work.render, settings.database, 1, "", "pdf")
