"""run.db -> an open connection, also of a file that was cut off or that nothing may be written beside."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

__all__ = ["DATABASE", "UNREADABLE", "cut_off", "opened"]

DATABASE = "run.db"
UNREADABLE = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What reading a damaged file raises; the latter where SQLite's own message quotes damaged text."""


def cut_off(database: Path) -> str:
    """Return what is missing at the end of a file that no journal completes, by the size in SQLite's own header."""
    journal = _beside(database, "-wal")
    with database.open("rb") as file:
        header = file.read(32)
    if not header.startswith(b"SQLite format 3") or (journal.is_file() and journal.stat().st_size):
        return ""
    whole = int.from_bytes(header[28:32], "big") * _page(header)
    size = database.stat().st_size
    return f"cut off, {size} of {whole} bytes are there" if size < whole else ""


def _page(header: bytes) -> int:
    size = int.from_bytes(header[16:18], "big")
    return 65536 if size == 1 else size


def _whole_pages(database: Path) -> int:
    """Return the size of the file without a last page that is not whole; SQLite would read its rest as zeros."""
    size = database.stat().st_size
    with database.open("rb") as file:
        page = _page(file.read(32))
    return size - size % page if page and size > page else size


def _beside(database: Path, suffix: str) -> Path:
    return database.with_name(database.name + suffix)


@contextmanager
def opened(database: Path) -> Iterator[sqlite3.Connection]:
    """Open a database for reading; a copy of it where SQLite may not write its shared memory beside it."""
    with ExitStack() as stack:
        try:
            if _whole_pages(database) < database.stat().st_size:
                raise sqlite3.OperationalError("the last page is not whole")
            connection = stack.enter_context(closing(_connected(database, _mode(database))))
            connection.execute("SELECT 1 FROM meta").fetchone()
        except sqlite3.OperationalError:
            # A folder that may not be written, a file that was cut off, or a write that was killed: its journal
            # belongs to the data.
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="tfhealth-")))
            for suffix in ("", "-wal", "-journal"):
                if _beside(database, suffix).is_file():
                    shutil.copyfile(_beside(database, suffix), _beside(folder / DATABASE, suffix))
            os.truncate(folder / DATABASE, _whole_pages(database))
            connection = stack.enter_context(closing(_connected(folder / DATABASE, "mode=rw")))
        yield connection


def _mode(database: Path) -> str:
    """Return how to open a file so that nothing is left beside it."""
    with database.open("rb") as file:
        write_ahead = file.read(20)[18:] == b"\2\2"
    # Whoever writes in this mode has a write-ahead log, so without one the file stays as it is.
    return "immutable=1" if write_ahead and not _beside(database, "-wal").exists() else "mode=ro"


def _connected(database: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{database.resolve().as_uri()}?{mode}", uri=True)
    connection.execute("PRAGMA writable_schema=ON")  # what SQLite needs to be told to read a file that was cut off
    return connection
