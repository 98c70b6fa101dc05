"""A PostgreSQL of Debian's package, started in a folder of its own for as long as tests need it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.service.serving import until

__all__ = ["Cluster", "cluster", "programs"]

_ROOT_MAY_NOT = "postgres"  # PostgreSQL refuses to run as root; Debian's package makes this user


def programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, the newest; None where the package is absent."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


class Cluster:
    """A server that listens on a socket in its folder, and may be killed and started again."""

    def __init__(self, folder: Path, bin_: Path) -> None:
        self._folder, self._bin = folder, bin_
        self._user = {"user": _ROOT_MAY_NOT, "group": _ROOT_MAY_NOT, "extra_groups": ()} if os.getuid() == 0 else {}
        if self._user:
            shutil.chown(folder, _ROOT_MAY_NOT, _ROOT_MAY_NOT)
        words = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        self._run([bin_ / "initdb", f"--pgdata={folder / 'data'}", *words])
        self.start()

    def _run(self, command: list[object]) -> None:
        words = [str(word) for word in command]
        subprocess.run(words, check=True, capture_output=True, cwd=self._folder, timeout=120, **self._user)

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        settings = {"listen_addresses": "", "unix_socket_directories": self._folder, "max_connections": 60}
        settings["fsync"] = "off"  # a crash of the server is tried here, and none of the machine
        words = [f"--{name}={value}" for name, value in settings.items()]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self._folder / "data", *words],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                **self._user,
            )
        until(self._answers)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server; SIGINT ends every connection, SIGQUIT is a crash."""
        self._process.send_signal(how)
        self._process.wait(60)

    def url(self, name: str) -> str:
        """Return the URL of a database."""
        return f"postgresql://postgres@/{name}?host={self._folder}"

    def new(self) -> str:
        """Return the URL of a new, empty database."""
        name = f"trial_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)


@contextmanager
def cluster(bin_: Path) -> Iterator[Cluster]:
    """Start a server; it and its folder are gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="tfhealth-pg-"))  # pytest's own folders may be entered by nobody else
    try:
        running = Cluster(folder, bin_)
        try:
            yield running
        finally:
            running.stop(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder)
