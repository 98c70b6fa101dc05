"""A run that is sent while it is recorded arrives whole, whatever happens between; and nobody waits for it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tests.service.faults import Place, Proxy, free_port, proxied, served, stored, told
from tests.service.serving import ROOT, serving, until
from tfhealth import load_run
from tfhealth.client import Client, ServerError, live, push
from tfhealth.client.live import Sender
from tfhealth.destination import Destination
from tfhealth.recorder import Recorder
from tfhealth.service.settings import Settings
from tfhealth.wire.outgoing import identity


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    database = f"sqlite:///{tmp_path_factory.mktemp('service') / 'service.db'}"
    with serving(Settings(database=database, workers=1, works=False)) as address:
        yield Place(address, database)


@pytest.fixture
def proxy(place: Place) -> Iterator[Proxy]:
    with proxied(place.address) as found:
        yield found


@pytest.fixture(autouse=True)
def in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look more often than is good for a training."""
    monkeypatch.setattr(live, "_REST", 0.05)


class Growing:
    """A run that grows, and what sends it."""

    def __init__(self, folder: Path, server: str) -> None:
        self.folder = folder
        self.recorder = Recorder(folder)
        self.recorder.meta(name="grows")
        self.layout = self.recorder.layout([])
        self.steps = 0
        with self.recorder.lent() as connection:
            self.id = identity(connection)
        self.sender = Sender(self.recorder, Destination(server, "default"))

    def grow(self, steps: int = 3) -> None:
        at = np.arange(self.steps, self.steps + steps)
        self.recorder.append(self.layout, at, np.zeros((steps, 0)))
        self.steps += steps
        self.sender.wake()

    def end(self, seconds: float = 60) -> None:
        self.recorder.finish("completed")
        self.sender.finish(seconds)
        self.recorder.close()


def rows(place: Place, run: str) -> int:
    """Return how many probed steps a service has of a run."""
    with Client(place.address) as client:
        return client.held("default", run).rows["row"]


def test_a_run_arrives_as_it_grows(place: Place, tmp_path: Path):
    """What was recorded is there before the training ends, and at its end everything is."""
    run = Growing(tmp_path / "run", place.address)
    run.grow(3)
    until(lambda: rows(place, run.id) == 3)
    run.grow(2)
    until(lambda: rows(place, run.id) == 5)
    run.end()
    assert run.sender.complete
    assert run.sender.address == f"{place.address}/projects/default/runs/{run.id}"
    assert told(stored(place.database, run.id)) == told(load_run(run.folder))
    assert sorted(path.name for path in run.folder.iterdir()) == ["run.db"]


def test_a_server_that_is_away_for_a_while_loses_nothing(place: Place, proxy: Proxy, tmp_path: Path):
    """Whoever records goes on at once; what was written meanwhile is sent later, from the file."""
    port, proxy.target = proxy.target, None
    run = Growing(tmp_path / "run", proxy.address)
    run.grow()
    until(lambda: proxy.taken >= 2)
    assert run.sender.trouble
    run.grow()
    proxy.target = port
    until(lambda: rows(place, run.id) == 6)
    run.end()
    assert (run.sender.complete, run.sender.trouble) == (True, "")
    assert told(stored(place.database, run.id)) == told(load_run(run.folder))


def test_what_a_dead_server_missed_is_pushed_later(place: Place, tmp_path: Path):
    """The end of the fit asks once more and then goes on; the file has everything."""
    run = Growing(tmp_path / "run", f"http://127.0.0.1:{free_port()}")
    run.grow()
    until(lambda: run.sender.trouble)
    run.end()
    assert (run.sender.complete, run.sender.refused) == (False, False)
    assert "cannot be reached" in run.sender.trouble
    until(lambda: not run.sender._thread.is_alive())
    with Client(place.address) as client:
        push(client, run.folder)
    assert told(stored(place.database, run.id)) == told(load_run(run.folder))


@pytest.mark.parametrize("most", [0, 100, 700])
def test_a_line_that_is_cut_anywhere_loses_and_doubles_nothing(place: Place, proxy: Proxy, tmp_path: Path, most: int):
    """A request that arrived in part is none."""
    proxy.most = most
    run = Growing(tmp_path / "run", proxy.address)
    run.grow()
    until(lambda: proxy.taken >= 3)
    proxy.most = None
    run.grow()
    until(lambda: rows(place, run.id) == 6)
    run.end()
    assert told(stored(place.database, run.id)) == told(load_run(run.folder))


def test_an_answer_that_is_lost_doubles_nothing(place: Place, proxy: Proxy, tmp_path: Path):
    """What was taken and not confirmed is asked for, and not sent into the run a second time."""
    run = Growing(tmp_path / "run", proxy.address)
    run.grow()
    until(lambda: rows(place, run.id) == 3)
    proxy.cut(proxy.target)
    proxy.answers = False
    run.grow()
    before = proxy.taken
    until(lambda: proxy.taken >= before + 2)
    proxy.answers = True
    run.grow()
    run.end()
    assert run.sender.complete
    assert told(stored(place.database, run.id)) == told(load_run(run.folder))


def test_a_server_that_hangs_costs_the_end_a_few_seconds(tmp_path: Path):
    """A server that takes the connection and never answers is left alone in time; the thread reads nothing more."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        run = Growing(tmp_path / "run", f"http://127.0.0.1:{silent.getsockname()[1]}")
        run.grow()
        began = time.monotonic()
        run.end(seconds=0.2)
        assert time.monotonic() - began < live._ANSWER / 2
        assert not run.sender.complete
        assert load_run(run.folder).steps.size == 0
        assert sorted(path.name for path in run.folder.iterdir()) == ["run.db"]


def test_a_server_that_is_killed_in_the_middle_has_everything_in_the_end(tmp_path: Path):
    """SIGKILL while deltas come in, a new start on the same database, and another sender of the same run beside."""
    database, port = f"sqlite:///{tmp_path / 'service.db'}", free_port()
    settings = Settings(database=database, workers=1, works=False)
    first = served(settings, port)
    run = Growing(tmp_path / "run", f"http://127.0.0.1:{port}")
    growing = threading.Event()

    def grow() -> None:
        while not growing.wait(0.005):
            run.grow()

    writer = threading.Thread(target=grow)
    writer.start()
    with Client(run.sender.server) as client:
        until(lambda: client.held("default", run.id).rows["row"] > 0)
        first.kill()
        first.wait()
        second = served(settings, port)
        push(client, run.folder)  # two send the same run at once
        growing.set()
        writer.join()
        run.end()
        assert run.sender.complete
        assert push(client, run.folder).deltas == 0
    second.terminate()
    second.wait()
    assert told(stored(database, run.id)) == told(load_run(run.folder))


def test_a_run_on_a_full_disk_is_sent_from_memory(place: Place, tmp_path: Path):
    """The file stands still when its disk is full; the run goes on in memory, and so does what is sent."""
    run = Growing(tmp_path / "run", place.address)
    run.grow()
    until(lambda: rows(place, run.id) == 3)
    run.recorder.keep_in_memory()
    run.grow()
    run.recorder.finish("completed")
    expected = told(run.recorder.snapshot())
    run.end()
    assert run.sender.complete
    assert told(stored(place.database, run.id)) == expected
    assert load_run(run.folder).meta["status"] == "running"


def test_what_a_server_refuses_is_not_tried_for_ever(tmp_path: Path):
    """A wrong token ends the sending, with the reason and without the token."""
    database = f"sqlite:///{tmp_path / 'service.db'}"
    with serving(Settings(database=database, workers=1, works=False, tokens=True)) as address:
        recorder = Recorder(tmp_path / "run")
        sender = Sender(recorder, Destination(address, None, "tfh_wrong"))
        sender.wake()
        until(lambda: sender.refused)
        assert "401" in sender.trouble
        assert "tfh_wrong" not in sender.trouble
        sender.finish()
        recorder.close()


def test_a_server_that_keeps_nothing_is_not_sent_the_same_for_ever(place: Place, tmp_path: Path):
    """A push ends where the other side says yes and forgets."""
    recorder = Recorder(tmp_path / "run")
    recorder.close()

    class Forgetful(Client):
        def put(self, project, run, delta):
            return self.held(project, run)

    with Forgetful(place.address) as client, pytest.raises(ServerError, match="does not keep what it is sent"):
        push(client, tmp_path / "run")


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python's, about threads that a fork lacks
def test_a_fork_leaves_the_sending_to_its_parent(place: Place, tmp_path: Path):
    """A child process has the callback and no thread: it waits for nothing, and sends nothing."""
    run = Growing(tmp_path / "run", place.address)
    run.grow()
    until(lambda: rows(place, run.id) == 3)
    child = os.fork()
    if child == 0:
        run.sender.wake()
        run.sender.finish(60)
        os._exit(1 if run.sender._ending.is_set() or run.sender._over else 0)
    assert os.waitpid(child, 0)[1] == 0
    run.grow()
    run.end()
    assert run.sender.complete


def test_a_trainer_that_is_killed_is_completed_by_a_push(place: Place, tmp_path: Path):
    """SIGKILL in the middle of a recording: the server has a part, and `push` sends the rest."""
    code = textwrap.dedent(
        f"""
        from pathlib import Path
        import time
        from tests.service.test_live import Growing
        run = Growing(Path({str(tmp_path / "run")!r}), {place.address!r})
        print(run.id, flush=True)
        while True:
            run.grow()
            time.sleep(0.001)
        """
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as training:
        name = training.stdout.readline().strip()
        until(lambda: rows(place, name) > 0)
        training.send_signal(signal.SIGKILL)
    before = rows(place, name)
    with Client(place.address) as client:
        push(client, tmp_path / "run")
    run = load_run(tmp_path / "run")
    assert rows(place, name) > before
    assert told(stored(place.database, name)) == told(run)
    assert run.meta["status"] == "running"
