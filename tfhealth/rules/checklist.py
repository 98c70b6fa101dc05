"""The checklist: its rows in our own words, the rules that decide them, and who made and changed these."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tfhealth.conditions import Severity
from tfhealth.rules.model import GroupName, Line, RowId, Rule, RuleId, Text

__all__ = ["BUILT_IN", "Brand", "Checklist", "Gate", "Item", "Origin", "Override", "Rows", "Suppression"]

BUILT_IN = "built-in"


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
    causes: dict[GroupName, list[RowId | RuleId]] = Field(default_factory=dict)
    """Groups of rows and rules that `explained_by` may name as one."""


@dataclass(frozen=True)
class Origin:
    """Where a rule in force comes from.

    Attributes:
        pack: name of the pack that wrote it.
        set_by: who set its limits: the pack, or the profile that changed them last.
        original: the rule as the pack wrote it, where a profile changed it.
        file: its file, as errors show it.
    """

    pack: str = BUILT_IN
    set_by: str = BUILT_IN
    original: Rule | None = None
    file: str = ""


@dataclass(frozen=True)
class Override:
    """A rule that differs for the sites a pattern matches; of several that match, the last counts.

    Attributes:
        match: glob on layer paths, see `tfhealth.rules.patterns`.
        id: the rule's id.
        rule: what stands in its place there; None switches it off.
        set_by: the profile that says so.
    """

    match: str
    id: str
    rule: Rule | None
    set_by: str


@dataclass(frozen=True)
class Suppression:
    """Findings that somebody looked at and accepted.

    Attributes:
        rule: id of the rule, or the beginning of several ids.
        match: glob on the sites it is for.
        reason: why, in a person's words.
        expires: the last day on which it holds; None: for ever.
        set_by: the profile that says so.
    """

    rule: str
    reason: str
    match: str = "**"
    expires: date | None = None
    set_by: str = ""


@dataclass(frozen=True)
class Gate:
    """What fails a build.

    Attributes:
        fail_on: the least severity of a finding that fails it; None: nothing does.
        ignore: beginnings of rule ids whose findings do not.
        require: rows or rules that must have been judged, else the gate is incomplete.
    """

    fail_on: Severity | None = None
    ignore: tuple[str, ...] = ()
    require: tuple[str, ...] = ()


@dataclass(frozen=True)
class Brand:
    """A pack in force, and how its reports look.

    Attributes:
        name: name of the pack.
        version: its version.
        title: what reports are headed with, empty: nothing of its own.
        logo: PNG or SVG, read and checked; None: none.
        templates: folder with any of `tfhealth.rules.brand.TEMPLATES`; None: none.
    """

    name: str
    version: str = ""
    title: str = ""
    logo: bytes | None = None
    templates: Path | None = None


@dataclass(frozen=True)
class Checklist:
    """Rows and rules in force, each rule keyed to a row.

    Attributes:
        chapters: (title, rows) in order.
        rules: every rule, in the order of their rows, then of their ids.
        sources: {abbreviation: article}.
        causes: {group: the rows and rules that `explained_by` means by it}.
        origins: {rule id: where it comes from}; a rule that is not in it is built-in.
        overrides: what differs at some layers, in the order in which it was said.
        suppressions: accepted findings.
        baseline: file of the findings that were there before; None: none.
        gate: what fails a build.
        packs: the packs that rules come from, the built-in one left out.
        profile: name of the profile in force; None: none.
    """

    chapters: tuple[tuple[str, tuple[Item, ...]], ...]
    rules: tuple[Rule, ...]
    sources: dict[str, str]
    causes: Mapping[str, Collection[str]] = field(default_factory=lambda: MappingProxyType({}))
    origins: Mapping[str, Origin] = field(default_factory=lambda: MappingProxyType({}))
    overrides: tuple[Override, ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    baseline: Path | None = None
    gate: Gate = Gate()
    packs: tuple[Brand, ...] = ()
    profile: str | None = None

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

    def causes_of(self, rule: Rule) -> tuple[str, ...]:
        """Return the rows and rules that explain a rule, groups taken apart, without the rule itself and its row."""
        named = (one for name in rule.explained_by for one in self.causes.get(name, [name]))
        return tuple(name for name in dict.fromkeys(named) if name not in (rule.checklist, rule.id))

    def origin(self, rule_id: str) -> Origin:
        """Return where a rule comes from."""
        return self.origins.get(rule_id, Origin())

    def overrides_of(self, rule_id: str) -> tuple[Override, ...]:
        """Return what differs for a rule at some layers, in the order in which it was said."""
        return tuple(one for one in self.overrides if one.id == rule_id)

    @classmethod
    def of(cls, rows: Rows, rules: Sequence[Rule]) -> Checklist:
        """Put rules to their rows."""
        chapters = tuple((chapter.title, tuple(chapter.items)) for chapter in rows.chapters)
        order = {item.id: place for place, item in enumerate(item for _, items in chapters for item in items)}
        ordered = sorted(rules, key=lambda rule: (order.get(rule.checklist, len(order)), rule.id))
        return cls(chapters, tuple(ordered), dict(rows.sources), dict(rows.causes))
