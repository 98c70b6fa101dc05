"""The comparison as plain data: every sentence, number and label final."""

from __future__ import annotations

from dataclasses import dataclass

from tfhealth.report.document import Badge, Pair, Picture, Table

__all__ = ["ComparisonReport", "ShiftPart", "Side"]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two runs: its letter, and what identifies it."""

    letter: str
    name: str
    badge: Badge | None
    sentence: str
    identity: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class ShiftPart:
    """What became of one finding; `before` and `after` are empty where it was not there."""

    fate: str
    word: str
    rule: str
    title: str
    checklist: str
    before: str
    after: str


@dataclass(frozen=True, eq=False)
class ComparisonReport:
    """The whole document, in its order."""

    title: str
    sentence: str
    sides: tuple[Side, ...]
    shifts_intro: str
    shifts: tuple[ShiftPart, ...]
    rows: Table | None
    ends: Table | None
    pictures: tuple[Picture, ...]
    settings_intro: str
    settings: tuple[Table, ...]
    commands: tuple[Pair, ...]
    footer: str
