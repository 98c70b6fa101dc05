"""What capture saw -> run.db: append-only, readable after any kind of death."""

from __future__ import annotations

import json
import math
import sqlite3
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from tfhealth import loading, summaries
from tfhealth.loading import DATABASE, SCHEMA_VERSION
from tfhealth.run import Run
from tfhealth.samples import Samples, encoded, fitted
from tfhealth.series import Attribute, Floats, Ints, Probe, Site
from tfhealth.summaries import Summary

__all__ = ["SCHEMA", "Recorder", "run_directory"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS site (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL,
    position INTEGER NOT NULL, attributes TEXT NOT NULL, UNIQUE (kind, name));
CREATE TABLE IF NOT EXISTS layout (id INTEGER PRIMARY KEY, probes TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS row (id INTEGER PRIMARY KEY, step INTEGER NOT NULL, layout INTEGER NOT NULL,
    data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS epoch (id INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, step INTEGER NOT NULL,
    logs TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, subject TEXT NOT NULL, why TEXT NOT NULL,
    UNIQUE (subject, why));
CREATE TABLE IF NOT EXISTS sample (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL,
    step INTEGER NOT NULL, about TEXT NOT NULL, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS summary (kind TEXT NOT NULL, name TEXT NOT NULL, about TEXT NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (kind, name));
CREATE TABLE IF NOT EXISTS histogram (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL,
    step INTEGER NOT NULL, data BLOB NOT NULL);
"""
"""The tables of a run's file."""


def run_directory(out: Path, name: str) -> Path:
    """Return a path for a new run below `out`: `<name>-<UTC time>-<short id>`; nothing is created."""
    safe = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name).strip("._") or "run"
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return out / f"{safe[:60]}-{stamp}-{uuid.uuid4().hex[:6]}"


class Recorder:
    """Writes one run. Every method may raise sqlite3.Error or OSError; the caller decides what that means.

    Args:
        folder: the run directory, made here where there is none; None keeps the run in memory only.

    Attributes:
        in_memory: whether the run is kept there now, from the beginning or since its disk was full or gone.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder, self.in_memory = folder, folder is None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        target = ":memory:" if folder is None else str(folder / DATABASE)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(target, check_same_thread=False, isolation_level=None)
        self._journal()
        self._connection.executescript(SCHEMA)
        self._sites: dict[Site, int] = {}
        self.meta(schema_version=SCHEMA_VERSION, status="running")
        once = {"started": _now(), "id": uuid.uuid4().hex}
        self._connection.executemany(
            "INSERT OR IGNORE INTO meta VALUES (?, ?)", [(key, _json(value)) for key, value in once.items()]
        )

    def _journal(self) -> None:
        # WAL survives SIGKILL and appends cheaply; network file systems refuse it.
        mode = self._connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        if mode not in ("wal", "memory"):
            self._connection.execute("PRAGMA journal_mode=TRUNCATE")
        self._connection.execute("PRAGMA synchronous=NORMAL")

    def meta(self, **entries: Any) -> None:
        """Set entries of the run's meta data; values must be JSON."""
        with self._lock:
            self._connection.executemany(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)", [(key, _json(value)) for key, value in entries.items()]
            )

    def site(self, site: Site, attributes: Mapping[str, Attribute], position: int = 0) -> int:
        """Record a site, or replace the attributes of a known one; return its number."""
        with self._lock:
            self._connection.execute(
                "INSERT INTO site (kind, name, position, attributes) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (kind, name) DO UPDATE SET attributes = excluded.attributes",
                (site.kind, site.name, position, _json(dict(attributes))),
            )
            found = self._connection.execute(
                "SELECT id FROM site WHERE kind = ? AND name = ?", (site.kind, site.name)
            ).fetchone()
        self._sites[site] = int(found[0])
        return self._sites[site]

    def layout(self, probes: Sequence[Probe]) -> int:
        """Record the columns of the rows to come; all their sites must be known. Return the layout's number."""
        listed = [[self._sites[probe.site], probe.statistic] for probe in probes]
        with self._lock:
            cursor = self._connection.execute("INSERT INTO layout (probes) VALUES (?)", (_json(listed),))
        return int(cursor.lastrowid or 0)

    def append(self, layout: int, steps: Ints, values: Floats) -> None:
        """Append probed steps: steps int64[n], values float[n, P] in the layout's order."""
        with np.errstate(over="ignore"):  # what float32 cannot hold is kept as Inf
            blobs = np.ascontiguousarray(values, dtype="<f4")
        rows = [(int(step), layout, blob.tobytes()) for step, blob in zip(steps, blobs, strict=True)]
        with self._whole():
            self._connection.executemany("INSERT INTO row (step, layout, data) VALUES (?, ?, ?)", rows)

    def epoch(self, epoch: int, step: int, logs: Mapping[str, float]) -> None:
        """Record the logs of one epoch that ended after `step` steps."""
        clean = {name: value if math.isfinite(value) else None for name, value in logs.items()}
        with self._lock:
            self._connection.execute(
                "INSERT INTO epoch (epoch, step, logs) VALUES (?, ?, ?)", (epoch, step, _json(clean))
            )

    def note(self, subject: str, why: str) -> None:
        """Record that `subject` could not be measured, and why; once for each pair."""
        with self._lock:
            self._connection.execute("INSERT OR IGNORE INTO note (subject, why) VALUES (?, ?)", (subject, why))

    def samples(self, found: Sequence[Samples]) -> None:
        """Record what the model was given, as far as there is room, in the place of what was recorded before."""
        rows = [(one.site.kind, one.site.name, one.step, *encoded(one)) for one in fitted(found)]
        with self._whole():
            self._connection.execute("DELETE FROM sample")
            self._connection.executemany(
                "INSERT INTO sample (kind, name, step, about, data) VALUES (?, ?, ?, ?, ?)", rows
            )

    def summaries(self, found: Sequence[Summary]) -> None:
        """Record what all batches so far had in common, in the place of what was recorded before."""
        rows = [(one.site.kind, one.site.name, *summaries.encoded(one)) for one in found]
        with self._whole():
            self._connection.executemany(
                "INSERT OR REPLACE INTO summary (kind, name, about, data) VALUES (?, ?, ?, ?)", rows
            )

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Have what the block writes written whole or not at all."""
        with self._lock:
            self._connection.execute("BEGIN")
            try:
                yield
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.rollback()

    def histograms(self, step: int, found: Mapping[Site, Floats]) -> None:
        """Record histograms of one step: {site: counts float64[BINS]}."""
        rows = [(site.kind, site.name, step, counts.astype("<f8").tobytes()) for site, counts in found.items()]
        with self._lock:
            self._connection.executemany("INSERT INTO histogram (kind, name, step, data) VALUES (?, ?, ?, ?)", rows)

    def keep_in_memory(self) -> None:
        """Go on in memory, with what the file holds: its disk is full or gone."""
        memory = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        with self._lock:
            if self._connection.in_transaction:
                self._connection.rollback()
            self._connection.backup(memory)
            self._connection.close()
            self._connection, self.in_memory = memory, True

    def finish(self, status: str) -> None:
        """Record how the training ended: completed, interrupted or failed."""
        self.meta(status=status, ended=_now())

    def snapshot(self) -> Run:
        """Return the run as it stands."""
        with self._lock:
            found = loading.read(self._connection)
        return replace(found, path=self.folder)

    @contextmanager
    def lent(self) -> Iterator[sqlite3.Connection]:
        """Lend what is written to for reading, a short time: nothing can be written meanwhile."""
        with self._lock:
            yield self._connection

    def close(self) -> None:
        """Close the file, which folds the write-ahead log into it."""
        with self._lock:
            self._connection.close()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _json(value: Any) -> str:
    return json.dumps(_plain(value), ensure_ascii=False, allow_nan=True)


def _plain(value: Any) -> Any:
    """Return `value` as JSON can hold it: NumPy scalars as Python's, keys as text, the rest by its `str`."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, str | bool | int | float | type(None)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Iterable):
        return [_plain(one) for one in value]
    return str(value)
