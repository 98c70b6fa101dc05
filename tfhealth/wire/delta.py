"""What one side has of a run and the other has not, as strict JSON: both ends speak by these models alone."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field, JsonValue, model_validator

from tfhealth.wire.model import Model

__all__ = [
    *("BINARY", "COLUMNS", "HEADS", "IDENTITY", "LONGEST", "TABLES"),
    *("Delta", "Head", "Held", "SampleRow", "SiteRow", "Stretch", "SummaryRow", "Table", "digest"),
]

Table = Literal["layout", "row", "epoch", "note", "histogram"]
Head = Literal["meta", "sites", "samples", "summaries"]

IDENTITY = re.compile(r"[0-9a-f]{32}")
"""What the identity of a run looks like, of which every run has one of its own."""

LONGEST = 4096
"""Rows in one stretch."""


def _base64(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be bytes in base64")
    base64.b64decode(value, validate=True)
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text")
    return value


def _json(value: Any) -> str:
    try:
        json.loads(_text(value))
    except RecursionError:
        raise ValueError("is nested too deep") from None
    return str(value)


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not -(2**62) < value < 2**62:
        raise ValueError("must be a whole number of 63 bits")
    return value


COLUMNS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "layout": {"probes": _json},
    "row": {"step": _whole, "layout": _whole, "data": _base64},
    "epoch": {"epoch": _whole, "step": _whole, "logs": _json},
    "note": {"subject": _text, "why": _text},
    "histogram": {"kind": _text, "name": _text, "step": _whole, "data": _base64},
}
"""{table of a run's file that only grows: {column: what it must be}}; rows are numbered from 1 without a gap."""

TABLES: tuple[Table, ...] = get_args(Table)

HEADS: tuple[Head, ...] = get_args(Head)
"""What of a run changes while it grows; it is small, and travels as a whole where it changed."""

BINARY = {table: tuple(check is _base64 for check in checks.values()) for table, checks in COLUMNS.items()}
"""Which columns of a table are bytes, and travel in base64."""


class Stretch(Model):
    """Rows of one table that follow each other."""

    table: Table = Field(description="the table of the run's file")
    first: int = Field(ge=1, le=2**53, description="number of the first row, from 1")
    rows: list[list[JsonValue]] = Field(min_length=1, max_length=LONGEST, description="each row, column by column")

    @model_validator(mode="after")
    def _columns(self) -> Stretch:
        checks = COLUMNS[self.table].values()
        for number, row in enumerate(self.rows, self.first):
            if len(row) != len(checks):
                raise ValueError(f"row {number} of {self.table} has {len(row)} columns; it must have {len(checks)}")
            for (name, check), value in zip(COLUMNS[self.table].items(), row, strict=True):
                try:
                    check(value)
                except ValueError as error:
                    raise ValueError(f"row {number} of {self.table}, {name}: {error}") from None
        return self

    @property
    def last(self) -> int:
        """The number of the last row."""
        return self.first + len(self.rows) - 1


class SiteRow(Model):
    """One site with its attributes."""

    id: int = Field(ge=1, le=2**53, description="its number, by which layouts name it")
    kind: str = Field(max_length=200, description="kind of site")
    name: str = Field(max_length=100_000, description="its name")
    position: int = Field(ge=-(2**53), le=2**53, description="place in the order of execution")
    attributes: dict[str, JsonValue] = Field(description="what is known of it")


class SummaryRow(Model):
    """What all batches so far had in common at a site."""

    kind: str = Field(max_length=200, description="kind of site")
    name: str = Field(max_length=100_000, description="its name")
    about: Annotated[str, AfterValidator(_json)] = Field(description="what it is, JSON")
    data: Annotated[str, AfterValidator(_base64)] = Field(description="its numbers, base64")


class SampleRow(SummaryRow):
    """What a model was given and answered, of a few samples at a site."""

    step: int = Field(ge=-(2**53), le=2**53, description="steps taken before it")


class Delta(Model):
    """What a sender has of a run beyond what the receiver said that it holds."""

    after: int = Field(ge=0, le=2**53, description="the receiver's revision that this goes on from")
    meta: dict[str, JsonValue] | None = Field(None, description="the run's meta data, whole; null: unchanged")
    sites: list[SiteRow] | None = Field(None, max_length=200_000, description="every site; null: unchanged")
    samples: list[SampleRow] | None = Field(None, max_length=1000, description="every sample kept; null: unchanged")
    summaries: list[SummaryRow] | None = Field(None, max_length=1000, description="every summary; null: unchanged")
    stretches: list[Stretch] = Field(default_factory=list, max_length=64, description="rows that are new")


class Held(Model):
    """What a receiver has of a run."""

    revision: int = Field(description="grows by one with every delta that is taken; 0: the run is not known")
    rows: dict[Table, int] = Field(description="how many rows of each table are held, without a gap")
    heads: dict[Head, str] = Field(
        default_factory=dict, description="SHA-256, as `digest` says, of each of what travels whole that is held"
    )


def digest(value: Any) -> str:
    """Return the SHA-256 of something in JSON's shape, hexadecimal, by which both sides know whether it changed."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=True)
    return hashlib.sha256(text.encode()).hexdigest()
