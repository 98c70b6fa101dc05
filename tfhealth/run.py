"""run.db -> Run: one recorded training, read-only; `tfhealth.recorder` writes what this reads."""

from __future__ import annotations

import functools
import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tfhealth import histograms, samples
from tfhealth.database import DATABASE, UNREADABLE, cut_off, opened
from tfhealth.errors import RunError
from tfhealth.histograms import Histogram
from tfhealth.samples import Samples
from tfhealth.series import BETWEEN_STEPS, FROM_HOST, Attribute, Panel, Probe, Series, Site, stack
from tfhealth.task import with_tasks

__all__ = ["DATABASE", "SCHEMA_VERSION", "Note", "Run", "Table", "load"]

SCHEMA_VERSION = 2
"""2 has samples and histograms; a run of 1 is read as one that has none."""


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

    @functools.cached_property
    def columns(self) -> Mapping[Probe, int]:
        """The column of each probe."""
        return {probe: column for column, probe in enumerate(self.probes)}

    @functools.cached_property
    def measured(self) -> frozenset[tuple[str, str]]:
        """The statistics, each with the kind of sites."""
        return frozenset((probe.site.kind, probe.statistic) for probe in self.probes)

    @functools.cached_property
    def kinds(self) -> frozenset[str]:
        """The kinds of the sites that are measured."""
        return frozenset(probe.site.kind for probe in self.probes)


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
        sites: every site seen with its attributes, in execution order, and what follows from them: the task.
        tables: the probed steps.
        logs: the epoch logs as {log site: Series}.
        notes: what could not be measured.
        samples: what the model was given, the first of each input and label; empty where none were to be kept.
        histograms: of the weights, gradients, updates and activations that somebody asked for.
        damage: what was wrong with the file; empty for a sound one.
    """

    path: Path | None
    meta: Mapping[str, Any]
    sites: Mapping[Site, Mapping[str, Attribute]]
    tables: tuple[Table, ...] = ()
    logs: Mapping[Site, Series] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    damage: str = ""
    samples: tuple[Samples, ...] = ()
    histograms: Mapping[Site, Histogram] = field(default_factory=dict)

    @functools.cached_property
    def steps(self) -> NDArray[np.int64]:
        """All probed steps, int64[n], ascending; the host and validation write rows of their own at others.

        Those of experiments count where there is no training: of a preflight.
        """
        beside = FROM_HOST | BETWEEN_STEPS | ({"experiment"} if self.trained else set())
        probed = [table.steps for table in self.tables if not table.kinds <= beside]
        return np.unique(np.concatenate([np.empty(0, np.int64), *probed]))

    @property
    def trained(self) -> bool:
        """Whether this is a training, and not experiments alone."""
        return "preflight" not in self.meta

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
        found = [(table, table.columns[probe]) for table in self.tables if probe in table.columns]
        if not found:
            return None
        steps = np.concatenate([table.steps for table, _ in found])
        values = np.concatenate([table.values[:, column] for table, column in found])
        order = np.argsort(steps, kind="stable")
        return Series(steps[order], values[order])

    @functools.cached_property
    def by_kind(self) -> Mapping[str, list[Site]]:
        """The sites of each kind, in execution order."""
        found: dict[str, list[Site]] = defaultdict(list)
        for site in self.sites:
            found[site.kind].append(site)
        return dict(found)

    def panel(self, kind: str, statistic: str) -> Panel:
        """Return the series of `statistic` at all sites of `kind` where it was measured, in execution order.

        Many rules look at the same ones: what is returned is kept, and not to be written to.
        """
        if (kind, statistic) not in self._panels:
            self._panels[kind, statistic] = self._panel(kind, statistic)
        return self._panels[kind, statistic]

    @functools.cached_property
    def _panels(self) -> dict[tuple[str, str], Panel]:
        return {}

    def _panel(self, kind: str, statistic: str) -> Panel:
        sites = self.by_kind.get(kind, [])
        tables = [table for table in self.tables if (kind, statistic) in table.measured]
        if len(tables) == 1:
            return self._columns(tables[0], sites, statistic)
        found = [(site, self.series(Probe(site, statistic))) for site in sites]
        return stack([(site, series) for site, series in found if series is not None])

    @staticmethod
    def _columns(table: Table, sites: Sequence[Site], statistic: str) -> Panel:
        probes = [(site, Probe(site, statistic)) for site in sites]
        columns = [(site, table.columns[probe]) for site, probe in probes if probe in table.columns]
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
        cut = cut_off(database)
        with opened(database) as connection:
            run = _read(connection, database.parent)
    except OSError as error:
        raise RunError(f"{database}: cannot be read ({error.strerror or error}).") from error
    except UNREADABLE as error:
        raise RunError(f"{database}: damaged, nothing in it can be read ({error}).") from error
    return replace(run, damage="; ".join(filter(None, [cut, run.damage])))


def read(connection: sqlite3.Connection) -> Run:
    """Return the run that an open connection holds (a recorder's own, while training goes on)."""
    return _read(connection, None)


def _read(connection: sqlite3.Connection, folder: Path | None) -> Run:
    damage: list[str] = []
    meta = dict(_rows(connection, "meta", "key, value", lambda key, value: (str(key), json.loads(value)), damage))
    version = meta.get("schema_version")
    if not isinstance(version, int):
        raise sqlite3.DatabaseError(damage[0] if damage else "it is no run")
    if version > SCHEMA_VERSION:
        raise RunError(
            f"{folder}: written by a newer tfhealth (run schema {version}, this one reads up to {SCHEMA_VERSION})."
        )
    found = _rows(connection, "site", "position, id, kind, name, attributes", _site, damage)
    by_id = {number: site for _, number, site, _ in found}
    sites = {site: attributes for *_, site, attributes in sorted(found, key=lambda one: one[:2])}
    tables = _tables(connection, by_id, damage)
    notes = _rows(connection, "note", "subject, why", lambda subject, why: Note(str(subject), str(why)), damage)
    logs = _logs(connection, damage)
    sites |= {site: {} for site in logs}
    if meta.get("error"):
        sites[Site("fact", "end")] = {"error": str(meta["error"])}
    run = Run(folder, meta, sites, tables, logs, tuple(notes))
    run = _with_extras(run, connection, damage) if version > 1 else run
    return replace(run, sites=with_tasks(sites, run.series), damage="; ".join(dict.fromkeys(damage)))


def _with_extras(run: Run, connection: sqlite3.Connection, damage: list[str]) -> Run:
    """Return the run with what somebody asked for beside the statistics."""
    shown = _rows(connection, "sample", "kind, name, step, about, data", samples.decoded, damage)
    counts = _rows(connection, "histogram", "kind, name, step, data", histograms.decoded, damage)
    return replace(run, samples=samples.bounded(shown, damage), histograms=histograms.over_steps(counts))


T = TypeVar("T")


def _rows(
    connection: sqlite3.Connection, table: str, columns: str, parse: Callable[..., T], damage: list[str]
) -> list[T]:
    """Return what `parse` makes of each row in the order of writing; what cannot be read goes to `damage`.

    Nothing is sorted by SQLite, which would have to read all of a damaged table before it gave out the first row.
    """
    rows: list[T] = []
    try:
        for row in connection.execute(f"SELECT {columns} FROM {table} ORDER BY rowid"):  # noqa: S608 - our own names
            try:
                rows.append(parse(*row))
            except (ValueError, TypeError, LookupError, AttributeError):
                damage.append(f"{table}: has rows that make no sense")
    except UNREADABLE as error:
        damage.append(f"{table}: {error}")
    return rows


def _site(position: int, number: int, kind: str, name: str, attributes: str) -> tuple[int, int, Site, dict[str, Any]]:
    return int(position), number, Site(str(kind), str(name)), dict(json.loads(attributes).items())


def _layout(number: int, probes: str) -> tuple[int, list[tuple[int, str]]]:
    return number, [(int(site), str(statistic)) for site, statistic in json.loads(probes)]


def _tables(connection: sqlite3.Connection, by_id: Mapping[int, Site], damage: list[str]) -> tuple[Table, ...]:
    layouts = dict(_rows(connection, "layout", "id, probes", _layout, damage))
    rows: dict[int, list[tuple[int, bytes]]] = defaultdict(list)

    def parse(layout: int, step: int, data: bytes) -> None:
        if len(data) != 4 * len(layouts[layout]):
            raise ValueError
        rows[layout].append((int(step), bytes(data)))

    _rows(connection, "row", "layout, step, data", parse, damage)
    return tuple(_table(layouts[layout], found, by_id, damage) for layout, found in sorted(rows.items()))


def _table(
    layout: Sequence[tuple[int, str]], rows: list[tuple[int, bytes]], by_id: Mapping[int, Site], damage: list[str]
) -> Table:
    rows.sort(key=lambda row: row[0])
    values = np.frombuffer(b"".join(data for _, data in rows), "<f4").reshape(len(rows), len(layout))
    known = [column for column, (site, _) in enumerate(layout) if site in by_id]
    if len(known) < len(layout):
        damage.append("row: has values of sites that are not there")
    probes = tuple(Probe(by_id[site], statistic) for site, statistic in (layout[column] for column in known))
    return Table(probes, np.array([step for step, _ in rows], np.int64), values[:, known].astype(np.float64))


def _logs(connection: sqlite3.Connection, damage: list[str]) -> dict[Site, Series]:
    def parse(step: int, logs: str) -> list[tuple[str, int, float]]:
        values = json.loads(logs).items()
        return [(name, int(step), float("nan") if value is None else float(value)) for name, value in values]

    points: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for epoch in _rows(connection, "epoch", "step, logs", parse, damage):
        for name, step, value in epoch:
            points[name].append((step, value))
    ordered = {name: sorted(found, key=lambda point: point[0]) for name, found in points.items()}
    return {
        Site("log", name): Series(
            np.array([step for step, _ in found], np.int64), np.array([value for _, value in found])
        )
        for name, found in ordered.items()
    }
