"""What goes wrong between a sender and a server, for tests; and whether a run that went that way is the same."""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from tests.service.serving import ROOT, until
from tfhealth.run import Run
from tfhealth.service.settings import Settings
from tfhealth.store import runs
from tfhealth.store.database import connected
from tfhealth.store.tables import StoredRun


@dataclass(frozen=True)
class Place:
    """A service for tests, and the URL of its database."""

    address: str
    database: str


class Proxy:
    """A TCP proxy on a free port, whose line can be cut.

    Attributes:
        target: port to which new connections lead; None: they are refused an answer.
        most: bytes of each connection that go to the target before it is cut; None: all.
        answers: whether what the target says is given back.
    """

    def __init__(self, target: int | None) -> None:
        self.target, self.most, self.answers = target, None, True
        self.taken = 0
        self._open: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def cut(self, target: int | None = None) -> None:
        """Cut every connection; new ones lead elsewhere, or nowhere."""
        self.target = target
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def close(self) -> None:
        self.cut()
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                self.taken += 1
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with closing(near), suppress(OSError):
            if self.target is None:
                return
            with socket.create_connection(("127.0.0.1", self.target)) as far, selectors.DefaultSelector() as ready:
                self._open += [near, far]
                ready.register(near, selectors.EVENT_READ, far)
                ready.register(far, selectors.EVENT_READ, near)
                self._pass_on(ready, near)

    def _pass_on(self, ready: selectors.BaseSelector, near: socket.socket) -> None:
        sent = 0
        while True:
            for key, _ in ready.select():
                data = key.fileobj.recv(65536)  # type: ignore[union-attr] # a socket
                if not data:
                    return
                if key.fileobj is near and self.most is not None:
                    data = data[: self.most - sent]
                    sent += len(data)
                if key.fileobj is near or self.answers:
                    key.data.sendall(data)
                if (self.most is not None and sent >= self.most) or (key.fileobj is not near and not self.answers):
                    return


@contextmanager
def proxied(address: str) -> Iterator[Proxy]:
    """Stand before a server."""
    proxy = Proxy(int(address.rpartition(":")[2]))
    try:
        yield proxy
    finally:
        proxy.close()


def served(settings: Settings, port: int) -> subprocess.Popen[bytes]:
    """Start a service in a process of its own, so that it can be killed; return when it answers."""
    command = [sys.executable, "-m", "tests.service.server", settings.model_dump_json(), str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})

    def answers() -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        assert process.poll() is None
        return False

    until(answers)
    return process


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def stored(url: str, run: str) -> Run | None:
    """Return a run as a database has it; None where it has none."""
    database = connected(url)
    try:
        with database.reading() as session:
            found = session.scalar(select(StoredRun).where(StoredRun.id == run))
            return None if found is None or found.head is None else runs.load(session, found)
    finally:
        database.close()


def told(run: Run | None) -> dict[str, Any] | None:
    """Return everything that a run says, so that two can be compared; NaN equals NaN."""
    return run and {
        "meta": json.dumps(dict(run.meta), sort_keys=True),
        "sites": [(site, json.dumps(dict(attributes))) for site, attributes in run.sites.items()],
        "tables": [(one.probes, one.steps.tolist(), one.values.tobytes()) for one in run.tables],
        "logs": {site: (one.steps.tolist(), one.values.tobytes()) for site, one in run.logs.items()},
        "notes": run.notes,
        "samples": [
            (one.site, one.form, one.step, one.shape, one.low, one.high, one.values.dtype, one.values.tobytes())
            for one in run.samples
        ],
        "histograms": {site: (one.steps.tolist(), one.counts.tobytes()) for site, one in run.histograms.items()},
        "summaries": [(one.site, one.form, one.samples, one.size, one.values.tobytes()) for one in run.summaries],
        "damage": run.damage,
    }
