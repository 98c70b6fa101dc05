"""A run's file and what a receiver holds of it -> the deltas that complete the receiver."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from pydantic import BaseModel, ValidationError

from tfhealth.wire.delta import (
    BINARY,
    COLUMNS,
    LONGEST,
    TABLES,
    Delta,
    Head,
    Held,
    SampleRow,
    SiteRow,
    Stretch,
    SummaryRow,
    digest,
)
from tfhealth.wire.strict import strict

__all__ = ["LARGEST", "Outgoing", "identity"]

LARGEST = 1_000_000
"""Bytes of rows in one delta, about; a row is never cut."""


def identity(connection: sqlite3.Connection) -> str:
    """Return the identity of a run, 32 hexadecimal digits; of one that was recorded before they had any, made up.

    What is made up depends on nothing that changes while the run grows: when it began, its name, and its first row.
    """
    meta = {key: json.loads(value) for key, value in connection.execute("SELECT key, value FROM meta")}
    if isinstance(meta.get("id"), str):
        return str(meta["id"])
    first = connection.execute("SELECT step, data FROM row ORDER BY rowid LIMIT 1").fetchone()
    said = repr((meta.get("started"), meta.get("name"), first)).encode()
    return hashlib.sha256(said).hexdigest()[:32]


class Outgoing:
    """Makes the deltas of one run, one after the other; remembers what would be costly to make out again each time."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, str]] = {}

    def delta(self, connection: sqlite3.Connection, held: Held) -> Delta | None:
        """Return a part of what a receiver lacks of the run as it stands, to be sent before the next is asked for.

        Args:
            connection: reads the run's file; it is left without a transaction, so whoever writes there never waits for
                what is slow to send.
            held: what the receiver has.

        Returns:
            About `LARGEST` bytes of rows at most; None where it lacks nothing.

        Raises:
            sqlite3.DatabaseError: the file is damaged.
        """
        connection.execute("BEGIN")
        try:
            head = {name: read for name in _HEADS if (read := self._head(connection, name, held)) is not None}
            stretches = _fitting(connection, held.rows)
        finally:
            connection.execute("ROLLBACK")
        if not head and not stretches:
            return None
        try:
            return Delta(after=held.revision, stretches=stretches, **head)
        except ValidationError:
            raise sqlite3.DatabaseError("what it says of its sites makes no sense") from None

    def _head(self, connection: sqlite3.Connection, name: Head, held: Held) -> Any:
        """Return what travels as a whole, where the receiver has something else."""
        query, make = _HEADS[name]
        rows = list(_present(connection, query))
        text = hashlib.sha256(repr(rows).encode()).hexdigest()
        seen, known = self._known.get(name, ("", ""))
        if seen == text and known == held.heads.get(name, _NOTHING):
            return None
        made = make(rows)
        self._known[name] = text, digest(made)
        return made if self._known[name][1] != held.heads.get(name, _NOTHING) else None


def _meta(rows: Iterable[tuple[str, str]]) -> dict[str, Any]:
    return dict(strict({key: json.loads(value) for key, value in rows}))


def _sites(rows: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    names = tuple(SiteRow.model_fields)
    return [dict(zip(names, (*row, strict(json.loads(told))), strict=True)) for *row, told in rows]


def _encoded(rows: Iterable[tuple[Any, ...]], model: type[BaseModel]) -> list[dict[str, Any]]:
    names = tuple(model.model_fields)
    return [{name: _sent(value, name == "data") for name, value in zip(names, row, strict=True)} for row in rows]


_NOTHING = digest([])
"""What a receiver has that never heard of it."""

_HEADS: dict[Head, tuple[str, Callable[[Iterable[Any]], Any]]] = {
    "meta": ("SELECT key, value FROM meta", _meta),
    "sites": ("SELECT id, kind, name, position, attributes FROM site ORDER BY id", _sites),
    "samples": (
        "SELECT kind, name, about, data, step FROM sample ORDER BY id",
        functools.partial(_encoded, model=SampleRow),
    ),
    "summaries": (
        "SELECT kind, name, about, data FROM summary ORDER BY kind, name",
        functools.partial(_encoded, model=SummaryRow),
    ),
}
"""{what travels as a whole: (how it is read, what is made of the rows)}."""


def _fitting(connection: sqlite3.Connection, held: Mapping[Any, int]) -> list[Stretch]:
    """Return the rows beyond those held, as many as fit into one delta."""
    found, size = list[Stretch](), 0
    with closing(_stretches(connection, held)) as stretches:  # what is left open keeps the file's lock
        for stretch, bytes_ in stretches:
            if found and size + bytes_ > LARGEST:
                break
            found.append(stretch)
            size += bytes_
    return found


def _stretches(connection: sqlite3.Connection, held: Mapping[Any, int]) -> Generator[tuple[Stretch, int]]:
    """Yield the rows beyond those held, in stretches of about a quarter of a delta, each with its size in bytes."""
    for table in TABLES:
        first, rows, size = held.get(table, 0) + 1, list[list[Any]](), 0
        columns = ", ".join(COLUMNS[table])
        query = f"SELECT rowid, {columns} FROM {table} WHERE rowid >= ? ORDER BY rowid"  # noqa: S608 - our own names
        for number, *values in _present(connection, query, (first,)):
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


def _present(connection: sqlite3.Connection, query: str, values: Sequence[int] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield what can be read; a run of an older schema lacks tables, and a file that was cut off its end."""
    try:
        yield from connection.execute(query, values)
    except sqlite3.DatabaseError:
        return


def _sent(value: Any, binary: bool) -> Any:
    if binary and not isinstance(value, bytes):
        raise sqlite3.DatabaseError("it has rows that make no sense")
    return base64.b64encode(value).decode() if binary else value
