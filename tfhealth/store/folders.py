"""A folder with runs somewhere below -> the database lists them as they are now, and reads them where they lie."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tfhealth.database import DATABASE, UNREADABLE, opened
from tfhealth.store import finding
from tfhealth.store.database import Database
from tfhealth.store.receiving import summarize
from tfhealth.store.tables import StoredRun
from tfhealth.store.tables.base import now
from tfhealth.wire.delta import IDENTITY
from tfhealth.wire.outgoing import identity

__all__ = ["DEEPEST", "FolderIndex", "runs_below"]

T = TypeVar("T")

DEEPEST = 6
"""How many folders a run may lie below the one that is looked through."""

_BATCH = 100  # runs that are entered together


@dataclass(frozen=True)
class _Found:
    """A run in a folder.

    Attributes:
        folder: its directory.
        files: size in bytes and time in nanoseconds of `run.db` and of its journal.
    """

    folder: str
    files: list[int]


@dataclass(frozen=True)
class _Read:
    """What lists show of it."""

    id: str
    meta: dict[str, Any]
    model: object


def runs_below(root: Path) -> Iterator[tuple[str, list[int]]]:
    """Yield every run directory below a folder, with sizes and times of its files.

    Hidden folders are not entered, symbolic links not followed, and a run has no runs below it.
    """
    waiting = [(os.fspath(root), 0)]
    while waiting:
        folder, depth = waiting.pop()
        try:
            entries = {entry.name: entry for entry in os.scandir(folder)}
        except OSError:  # gone meanwhile, or not ours to read
            continue
        files = [value for name in (DATABASE, f"{DATABASE}-wal") for value in _state(entries.get(name))]
        if files[1]:
            yield folder, files
        elif depth < DEEPEST:
            inner = (one for one in entries.values() if not one.name.startswith(".") and _is_folder(one))
            waiting.extend((one.path, depth + 1) for one in inner)


def _state(entry: os.DirEntry[str] | None) -> tuple[int, int]:
    """Return size and time of a file; zeros where it is none."""
    try:
        if entry is None or not entry.is_file(follow_symlinks=False):
            return 0, 0
        found = entry.stat(follow_symlinks=False)
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


class FolderIndex:
    """The list of the runs below a folder, in the project that is meant where none is named.

    Args:
        database: where they are listed.
        root: the folder.
    """

    def __init__(self, database: Database, root: Path) -> None:
        self._database, self._root = database, root.resolve()
        self._passed: dict[str, list[int]] = {}  # what cannot be listed is not read again before it changes

    def update(self) -> int:
        """Bring the list up to date; where the folder is away, everything stays as it is.

        Returns:
            How many runs were new, changed or gone.
        """
        if not self._root.is_dir():
            return 0
        found = dict(runs_below(self._root))
        with self._database.reading() as session:
            listed = _listed(session, self._root)
        gone = [folder for folder in listed if folder not in found]
        for some in _batches(gone):
            with self._database.writing() as session:
                session.execute(delete(StoredRun).where(StoredRun.folder.in_(some)))
        if gone:
            self._passed.clear()  # a copy of a run that is gone takes its place
        known = self._passed | listed
        fresh = [_Found(folder, files) for folder, files in sorted(found.items()) if known.get(folder) != files]
        return len(gone) + sum(self._enter(batch) for batch in _batches(fresh))

    def _enter(self, batch: Sequence[_Found]) -> int:
        read = [(one, _read(one)) for one in batch]
        entered = 0
        with self._database.writing() as session:
            for one, what in read:
                if what is not None and _enter(session, self._root, one, what):
                    entered += 1
                else:
                    self._passed[one.folder] = one.files
        return entered


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[first : first + _BATCH] for first in range(0, len(items), _BATCH))


def _listed(session: Session, root: Path) -> dict[str, list[int]]:
    """Return the runs below a folder that are listed, with what their files were."""
    rows = session.execute(select(StoredRun.folder, StoredRun.held).where(StoredRun.folder.is_not(None)))
    inside = os.path.join(root, "")  # noqa: PTH118 - a prefix, with the separator at its end
    return {folder: held.get("files", []) for folder, held in rows if folder and folder.startswith(inside)}


def _read(found: _Found) -> _Read | None:
    """Return what a run says of itself; None where nothing can be read, now."""
    query = "SELECT attributes FROM site WHERE kind = 'fact' AND name = 'model'"
    try:
        with opened(Path(found.folder) / DATABASE) as connection:
            meta = {str(key): json.loads(value) for key, value in connection.execute("SELECT key, value FROM meta")}
            model = connection.execute(query).fetchone()
            name = identity(connection)
            return _Read(name, meta, json.loads(model[0]).get("name") if model else "")
    except (OSError, ValueError, TypeError, AttributeError, sqlite3.Error, *UNREADABLE):
        return None


def _enter(session: Session, root: Path, found: _Found, read: _Read) -> bool:
    """List a run, or what is new of it; one that was sent here, or that lies in another folder too, stays as it is.

    It is named by its folder, as whoever looks into that folder knows it: many runs of a model have one name.
    """
    if not IDENTITY.fullmatch(read.id):
        return False
    owner = finding.project(session, finding.DEFAULT_PROJECT)
    run = finding.by_id(session, owner, read.id)
    if run is None:
        run = StoredRun(project_id=owner.id, id=read.id, folder=found.folder, held={}, revision=0)
        session.add(run)
    elif run.folder is None or (run.folder != found.folder and Path(run.folder, DATABASE).is_file()):
        return False
    run.folder, run.held = found.folder, {"files": found.files}
    run.revision, run.changed = run.revision + 1, now()
    name = os.path.relpath(found.folder, root)
    summarize(run, read.meta if name == "." else {**read.meta, "name": name}, read.model)
    session.flush()
    return True
