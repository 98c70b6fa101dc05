"""The checklist: its rows in our own words, and the rules that decide them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tfhealth.rules.model import Line, RowId, Rule, Text

__all__ = ["Checklist", "Item", "Rows"]


class Item(BaseModel):
    """One row of the checklist.

    Attributes:
        id: `chapter.name`.
        asks: the question.
        sources: which article says so, in the abbreviations of `rules/checklist.yaml`.
        how: every way in which it can be decided.
        guide: for a row that no machine decides, the question to the person.
        missing: what to do so that it is measured, where a fit alone cannot.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: RowId
    asks: Line
    sources: list[Line] = Field(min_length=1)
    how: list[Literal["fit", "static", "preflight", "guide", "compare"]] = Field(min_length=1)
    guide: Text | None = None
    missing: Text | None = None

    @property
    def chapter(self) -> str:
        """The part of the id before the dot."""
        return self.id.split(".")[0]


class Chapter(BaseModel):
    """A group of rows under one heading."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Line
    items: list[Item] = Field(min_length=1)


class Rows(BaseModel):
    """The file `checklist.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: dict[str, Line]
    chapters: list[Chapter] = Field(min_length=1)


@dataclass(frozen=True)
class Checklist:
    """Rows and rules, each rule keyed to a row.

    Attributes:
        chapters: (title, rows) in order.
        rules: every rule, in the order of their rows, then of their ids.
        sources: {abbreviation: article}.
    """

    chapters: tuple[tuple[str, tuple[Item, ...]], ...]
    rules: tuple[Rule, ...]
    sources: dict[str, str]

    @property
    def items(self) -> tuple[Item, ...]:
        """Every row, in order."""
        return tuple(item for _, items in self.chapters for item in items)

    def rules_for(self, row: str) -> tuple[Rule, ...]:
        """Return the rules that decide `row`."""
        return tuple(rule for rule in self.rules if rule.checklist == row)

    def rule(self, rule_id: str) -> Rule | None:
        """Return the rule with this id, or None."""
        return next((rule for rule in self.rules if rule.id == rule_id), None)

    @classmethod
    def of(cls, rows: Rows, rules: Sequence[Rule]) -> Checklist:
        """Put rules to their rows."""
        chapters = tuple((chapter.title, tuple(chapter.items)) for chapter in rows.chapters)
        order = {item.id: place for place, item in enumerate(item for _, items in chapters for item in items)}
        ordered = sorted(rules, key=lambda rule: (order.get(rule.checklist, len(order)), rule.id))
        return cls(chapters, tuple(ordered), dict(rows.sources))
