"""run.db -> Run: one recorded training, read-only; `tfhealth.recorder` writes what this reads."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfhealth.errors import RunError
from tfhealth.series import Attribute, Panel, Probe, Series, Site, stack

__all__ = ["DATABASE", "SCHEMA_VERSION", "Note", "Run", "Table", "load"]

SCHEMA_VERSION = 1
DATABASE = "run.db"


@dataclass(frozen=True, eq=False)
class Table:
    """Probed steps that share one list of probes.

    Attributes:
        probes: the P probes, one a column.
        steps: int64[n], ascending.
        values: float64[n, P].
    """

    probes: tuple[Probe, ...]
    steps: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Note:
    """Something that could not be measured, and why; `subject` is a site, a statistic or a hook."""

    subject: str
    why: str


@dataclass(frozen=True, eq=False)
class Run:
    """One training, recorded.

    Attributes:
        path: the run directory; None for a run that lives in memory only.
        meta: name, started, ended (UTC, ISO 8601), status (running, completed, interrupted, failed), versions …
        sites: every site seen with its attributes, in execution order.
        tables: the probed steps.
        logs: the epoch logs as {log site: Series}.
        notes: what could not be measured.
        damage: what was wrong with the file; empty for a sound one.
    """

    path: Path | None
    meta: Mapping[str, Any]
    sites: Mapping[Site, Mapping[str, Attribute]]
    tables: tuple[Table, ...] = ()
    logs: Mapping[Site, Series] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    damage: str = ""

    @property
    def steps(self) -> NDArray[np.int64]:
        """All probed steps, int64[n], ascending."""
        if not self.tables:
            return np.empty(0, np.int64)
        return np.unique(np.concatenate([table.steps for table in self.tables]))

    @property
    def complete(self) -> bool:
        """Whether the training ended by itself and its file is sound."""
        return self.meta.get("status") == "completed" and not self.damage

    def fact(self, name: str) -> Attribute:
        """Return the attribute of a fact site, e.g. `optimizer.learning_rate`; None where it is not known."""
        site, _, attribute = name.partition(".")
        return self.sites.get(Site("fact", site), {}).get(attribute)

    def series(self, probe: Probe) -> Series | None:
        """Return what `probe` yielded, or None where it was never measured."""
        if probe.site.kind == "log":
            return self.logs.get(probe.site)
        found = [(table, table.probes.index(probe)) for table in self.tables if probe in table.probes]
        if not found:
            return None
        steps = np.concatenate([table.steps for table, _ in found])
        values = np.concatenate([table.values[:, column] for table, column in found])
        order = np.argsort(steps, kind="stable")
        return Series(steps[order], values[order])

    def panel(self, kind: str, statistic: str) -> Panel:
        """Return the series of `statistic` at all sites of `kind` where it was measured, in execution order."""
        sites = [site for site in self.sites if site.kind == kind]
        if len(self.tables) == 1 and kind != "log":
            return self._columns(self.tables[0], sites, statistic)
        found = [(site, self.series(Probe(site, statistic))) for site in sites]
        return stack([(site, series) for site, series in found if series is not None])

    @staticmethod
    def _columns(table: Table, sites: Sequence[Site], statistic: str) -> Panel:
        index = {probe: column for column, probe in enumerate(table.probes)}
        columns = [(site, index[Probe(site, statistic)]) for site in sites if Probe(site, statistic) in index]
        values = table.values[:, [column for _, column in columns]].T
        return Panel(tuple(site for site, _ in columns), table.steps, values, np.ones(values.shape, bool))


def load(path: Path | str) -> Run:
    """Read the run in directory `path`, also one that was killed half-way.

    Raises:
        RunError: no such directory, no `run.db` in it, nothing readable in it, or a newer schema.
    """
    folder = Path(path)
    database = folder / DATABASE if folder.is_dir() else folder
    if not database.is_file():
        what = f"has no {DATABASE}" if folder.is_dir() else "does not exist"
        raise RunError(f"{folder}: not a run directory, it {what}. `tfhealth run` and HealthCallback print its path.")
    try:
        with closing(_open(database)) as connection:
            return _read(connection, database.parent)
    except sqlite3.DatabaseError as error:
        raise RunError(f"{database}: damaged, nothing in it can be read ({error}).") from error


def _open(database: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)
        connection.execute("SELECT 1 FROM meta").fetchone()
    except sqlite3.OperationalError:
        # A write-ahead log left by a killed process, in a folder that may not be written: read the main file alone.
        connection = sqlite3.connect(f"{database.resolve().as_uri()}?immutable=1", uri=True)
    return connection


def read(connection: sqlite3.Connection) -> Run:
    """Return the run that an open connection holds (a recorder's own, while training goes on)."""
    return _read(connection, None)


def _read(connection: sqlite3.Connection, folder: Path | None) -> Run:
    meta = {key: json.loads(value) for key, value in connection.execute("SELECT key, value FROM meta")}
    version = meta.get("schema_version", 0)
    if version > SCHEMA_VERSION:
        raise RunError(
            f"{folder}: written by a newer tfhealth (run schema {version}, this one reads up to {SCHEMA_VERSION})."
        )
    damage: list[str] = []
    sites: dict[Site, dict[str, Attribute]] = {}
    by_id: dict[int, Site] = {}
    query = "SELECT id, kind, name, attributes FROM site ORDER BY position, id"
    for number, kind, name, attributes in _rows(connection, query, damage):
        by_id[number] = Site(kind, name)
        sites[by_id[number]] = json.loads(attributes)
    tables = _tables(connection, by_id, damage)
    notes = tuple(Note(*row) for row in _rows(connection, "SELECT subject, why FROM note ORDER BY id", damage))
    logs = _logs(connection, damage)
    sites |= {site: {} for site in logs}
    return Run(folder, meta, sites, tables, logs, notes, "; ".join(dict.fromkeys(damage)))


def _rows(connection: sqlite3.Connection, query: str, damage: list[str]) -> list[tuple[Any, ...]]:
    """Return all rows of `query` that can be read; what stops the reading goes to `damage`."""
    rows: list[tuple[Any, ...]] = []
    try:
        for row in connection.execute(query):
            rows.append(row)
    except sqlite3.DatabaseError as error:
        damage.append(str(error))
    return rows


def _tables(connection: sqlite3.Connection, by_id: Mapping[int, Site], damage: list[str]) -> tuple[Table, ...]:
    layouts = {
        number: tuple(Probe(by_id[site], statistic) for site, statistic in json.loads(probes) if site in by_id)
        for number, probes in _rows(connection, "SELECT id, probes FROM layout ORDER BY id", damage)
    }
    rows: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
    for layout, step, data in _rows(connection, "SELECT layout, step, data FROM row ORDER BY step, id", damage):
        if layout in layouts and len(data) == 4 * len(layouts[layout]):
            rows[layout].append((step, data))
    return tuple(
        Table(
            layouts[layout],
            np.array([step for step, _ in found], np.int64),
            np.frombuffer(b"".join(data for _, data in found), "<f4").reshape(len(found), -1).astype(np.float64),
        )
        for layout, found in rows.items()
    )


def _logs(connection: sqlite3.Connection, damage: list[str]) -> dict[Site, Series]:
    points: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for step, logs in _rows(connection, "SELECT step, logs FROM epoch ORDER BY step, id", damage):
        for name, value in json.loads(logs).items():
            points[name].append((step, float("nan") if value is None else float(value)))
    return {
        Site("log", name): Series(
            np.array([step for step, _ in found], np.int64), np.array([value for _, value in found])
        )
        for name, found in points.items()
    }
