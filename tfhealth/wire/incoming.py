"""What a server holds of a run -> the Run, read by what reads a run's file."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from typing import Any

from tfhealth import loading
from tfhealth.recorder import SCHEMA
from tfhealth.run import Run
from tfhealth.wire.delta import BINARY, COLUMNS, Head, Stretch
from tfhealth.wire.strict import loose

__all__ = ["assembled"]


def assembled(head: Mapping[Head, Any], stretches: Iterable[Stretch]) -> Run:
    """Return the run that these rows, and what travelled as a whole, make; its `path` is None.

    What they say is judged as a file that nobody vouches for: what makes no sense goes to the run's `damage`.

    Raises:
        RunError: of a newer schema.
        sqlite3.DatabaseError: it is no run.
    """
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.executescript(SCHEMA)
        connection.execute("BEGIN")
        for name, (command, values) in _HEADS.items():
            found = head.get(name) or ()
            entries = found.items() if isinstance(found, Mapping) else found
            connection.executemany(command, [values(one) for one in entries])
        for stretch in stretches:
            _insert(connection, stretch)
        connection.execute("COMMIT")
        return loading.read(connection)


def _data(row: Mapping[str, Any]) -> bytes:
    return base64.b64decode(row["data"])


_HEADS: dict[Head, tuple[str, Callable[[Any], tuple[Any, ...]]]] = {
    "meta": ("INSERT INTO meta VALUES (?, ?)", lambda entry: (entry[0], _json(entry[1]))),
    "sites": (
        "INSERT OR IGNORE INTO site (id, kind, name, position, attributes) VALUES (?, ?, ?, ?, ?)",
        lambda row: (row["id"], row["kind"], row["name"], row["position"], _json(row["attributes"])),
    ),
    "samples": (
        "INSERT INTO sample (kind, name, step, about, data) VALUES (?, ?, ?, ?, ?)",
        lambda row: (row["kind"], row["name"], row["step"], row["about"], _data(row)),
    ),
    "summaries": (
        "INSERT OR IGNORE INTO summary (kind, name, about, data) VALUES (?, ?, ?, ?)",
        lambda row: (row["kind"], row["name"], row["about"], _data(row)),
    ),
}
"""{what travels as a whole: (how it is written, what of each entry)}."""


def _insert(connection: sqlite3.Connection, stretch: Stretch) -> None:
    columns, binary = COLUMNS[stretch.table], BINARY[stretch.table]
    marks = ", ".join("?" * (len(columns) + 1))
    rows = [
        (number, *(base64.b64decode(str(one)) if is_ else one for one, is_ in zip(row, binary, strict=True)))
        for number, row in enumerate(stretch.rows, stretch.first)
    ]
    command = f"INSERT OR IGNORE INTO {stretch.table} (id, {', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - our own names
    connection.executemany(command, rows)


def _json(value: Any) -> str:
    return json.dumps(loose(value), allow_nan=True)
