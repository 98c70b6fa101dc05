"""run.db -> Run, also of a run that was killed half-way; `tfhealth.recorder` writes what this reads."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tfhealth import histograms, samples, summaries
from tfhealth.database import DATABASE, UNREADABLE, cut_off, opened
from tfhealth.errors import RunError
from tfhealth.run import Note, Run, Table
from tfhealth.series import Ints, Probe, Series, Site
from tfhealth.task import with_tasks

__all__ = ["DATABASE", "SCHEMA_VERSION", "load", "read"]

SCHEMA_VERSION = 3
"""2 has samples and histograms, 3 has summaries and predictions of samples; an older run is read as one without."""

_MOST_SUMMARIES = 64


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
        with opened(database) as connection:
            cut = cut_off(database)
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
    kept = samples.bounded(shown, damage)
    run = replace(run, samples=kept, histograms=histograms.over_steps(counts))
    if run.meta["schema_version"] < 3:
        return run
    found = _rows(connection, "summary", "kind, name, about, data", summaries.decoded, damage)
    return replace(run, summaries=tuple(found[:_MOST_SUMMARIES]))


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
    steps: dict[int, list[int]] = defaultdict(list)
    data: dict[int, bytearray] = defaultdict(bytearray)  # grows in place: a long run must not be in memory twice

    def parse(layout: int, step: int, row: bytes) -> None:
        if len(row) != 4 * len(layouts[layout]):
            raise ValueError
        steps[layout].append(int(step))
        data[layout].extend(row)

    _rows(connection, "row", "layout, step, data", parse, damage)
    return tuple(
        _table(layouts[layout], np.array(steps[layout], np.int64), data.pop(layout), by_id, damage)
        for layout in sorted(steps)
    )


def _table(
    layout: Sequence[tuple[int, str]], steps: Ints, data: bytearray, by_id: Mapping[int, Site], damage: list[str]
) -> Table:
    values = np.frombuffer(data, "<f4").reshape(len(steps), len(layout))
    if (np.diff(steps) < 0).any():
        order = np.argsort(steps, kind="stable")
        steps, values = steps[order], values[order]
    known = [column for column, (site, _) in enumerate(layout) if site in by_id]
    if len(known) < len(layout):
        damage.append("row: has values of sites that are not there")
    probes = tuple(Probe(by_id[site], statistic) for site, statistic in (layout[column] for column in known))
    return Table(probes, steps, values if len(known) == len(layout) else values[:, known])


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
