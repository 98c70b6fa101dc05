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
    if journal.is_file() and journal.stat().st_size:
        return ""
    pages, page = _pages(database)
    size = database.stat().st_size
    return f"cut off, {size} of {pages * page} bytes are there" if size < pages * page else ""


def _pages(database: Path) -> tuple[int, int]:
    """Return how many pages a file should have, and the bytes of one.

    SQLite itself reads its header, since this process may be writing there: when anything else closes a file, the
    system takes away the locks that SQLite holds, and another process would throw the write-ahead log away.
    """
    with closing(_connected(database, "immutable=1")) as connection:
        pages, size = (int(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "page_size"))
    return pages, size


def _whole_pages(database: Path) -> int:
    """Return the size of the file without a last page that is not whole; SQLite would read its rest as zeros."""
    size, (_, page) = database.stat().st_size, _pages(database)
    return size - size % page if size > page else size


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
            # belongs to the data. Nobody writes there now, so a copy takes no locks away.
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="tfhealth-")))
            for suffix in ("", "-wal", "-journal"):
                if _beside(database, suffix).is_file():
                    shutil.copyfile(_beside(database, suffix), _beside(folder / DATABASE, suffix))
            os.truncate(folder / DATABASE, _whole_pages(database))
            connection = stack.enter_context(closing(_connected(folder / DATABASE, "mode=rw")))
        yield connection


def _mode(database: Path) -> str:
    """Return how to open a file so that nothing is left beside it."""
    # Whoever writes has a journal of the one or of the other kind, so without one the file stays as it is.
    written = any(_beside(database, suffix).exists() for suffix in ("-wal", "-journal"))
    return "mode=ro" if written else "immutable=1"


def _connected(database: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{database.resolve().as_uri()}?{mode}", uri=True)
    connection.execute("PRAGMA writable_schema=ON")  # what SQLite needs to be told to read a file that was cut off
    return connection
