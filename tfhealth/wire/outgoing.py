"""A run's file and what a receiver holds of it -> the deltas that complete the receiver."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from tfhealth.wire.delta import BINARY, COLUMNS, LONGEST, TABLES, Delta, Held, SiteRow, Stretch, digest

__all__ = ["LARGEST", "deltas", "identity"]

LARGEST = 1_000_000
"""Bytes of rows in one delta, about; a row is never cut."""


def identity(connection: sqlite3.Connection) -> str:
    """Return the identity of a run, 32 hexadecimal digits; of one that was recorded before they had any, made up.

    What is made up depends on nothing that changes while the run grows: when it began, its name, and its first row.
    """
    meta = _meta(connection)
    if isinstance(meta.get("id"), str):
        return str(meta["id"])
    first = connection.execute("SELECT step, data FROM row ORDER BY rowid LIMIT 1").fetchone()
    said = repr((meta.get("started"), meta.get("name"), first)).encode()
    return hashlib.sha256(said).hexdigest()[:32]


def deltas(connection: sqlite3.Connection, held: Held) -> Iterator[Delta]:
    """Yield what a receiver lacks of the run that an open connection reads; nothing where it lacks nothing.

    Each delta goes on from the revision that the one before it makes, so they are sent in order.
    """
    after = held.revision
    head: dict[str, Any] = _head(connection, held)
    size, stretches = 0, list[Stretch]()
    for stretch, bytes_ in _stretches(connection, held.rows):
        if size and size + bytes_ > LARGEST:
            yield Delta(after=after, stretches=stretches, **head)
            after, head, size, stretches = after + 1, {}, 0, []
        size, stretches = size + bytes_, [*stretches, stretch]
    if head or stretches:
        yield Delta(after=after, stretches=stretches, **head)


def _head(connection: sqlite3.Connection, held: Held) -> dict[str, Any]:
    """Return meta data and sites, each only where the receiver has others."""
    rows = connection.execute("SELECT id, kind, name, position, attributes FROM site ORDER BY id")
    sites = [
        SiteRow(id=number, kind=kind, name=name, position=position, attributes=_strict(json.loads(attributes)))
        for number, kind, name, position, attributes in rows
    ]
    found = {"meta": _strict(_meta(connection)), "sites": sites}
    said = {"meta": found["meta"], "sites": [site.model_dump() for site in sites]}
    return {name: value for name, value in found.items() if digest(said[name]) != getattr(held, name)}


def _meta(connection: sqlite3.Connection) -> dict[str, Any]:
    return {key: json.loads(value) for key, value in connection.execute("SELECT key, value FROM meta")}


def _strict(value: Any) -> Any:
    """Return what is read from a file as strict JSON has it: what is no finite number travels as a word."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"number": str(value)}
    if isinstance(value, Mapping):
        return {key: _strict(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_strict(one) for one in value]
    return value


def _stretches(connection: sqlite3.Connection, held: Mapping[Any, int]) -> Iterator[tuple[Stretch, int]]:
    """Yield the rows beyond those held, in stretches of about a quarter of a delta, each with its size in bytes."""
    for table in TABLES:
        first, rows, size = held.get(table, 0) + 1, list[list[Any]](), 0
        columns = ", ".join(COLUMNS[table])
        query = f"SELECT rowid, {columns} FROM {table} WHERE rowid >= ? ORDER BY rowid"  # noqa: S608 - our own names
        for number, *values in _present(connection, query, first):
            if number != first + len(rows):
                break  # a gap: what lies behind it is of no use
            row = [_sent(value, binary) for value, binary in zip(values, BINARY[table], strict=True)]
            bytes_ = sum(len(value) if isinstance(value, str) else 8 for value in row)
            if rows and (size + bytes_ > LARGEST // 4 or len(rows) == LONGEST):
                yield Stretch.model_construct(table=table, first=first, rows=rows), size
                first, rows, size = number, [], 0
            rows.append(row)
            size += bytes_
        if rows:
            yield Stretch.model_construct(table=table, first=first, rows=rows), size


def _present(connection: sqlite3.Connection, query: str, first: int) -> Iterator[tuple[Any, ...]]:
    """Yield what can be read; a run of an older schema lacks tables, and a file that was cut off its end."""
    try:
        yield from connection.execute(query, (first,))
    except sqlite3.DatabaseError:
        return


def _sent(value: Any, binary: bool) -> Any:
    return base64.b64encode(value).decode() if binary else value
