"""Packs in force -> their rules as entries that profiles change, and their rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfhealth.errors import nearest
from tfhealth.rules.checklist import BUILT_IN, Chapter, Origin, Rows
from tfhealth.rules.extends import Chain
from tfhealth.rules.model import Rule
from tfhealth.rules.pack import Pack, RuleFile, built_in
from tfhealth.rules.source import Place

__all__ = ["Entry", "Names", "gather", "rows_of"]

_MOST = 100  # faults of one kind in one rule; to look for the nearest name takes time


@dataclass
class Entry:
    """One rule of a pack, and what profiles made of it.

    Attributes:
        pack: name of the pack.
        written: as the pack wrote it.
        rule: as it is in force.
        data: the same, as a file would say it.
        set_by: who set its limits last.
        on: whether no profile switched it off.
    """

    pack: str
    written: RuleFile
    rule: Rule
    data: Mapping[str, Any]
    set_by: str
    on: bool = True

    def change(self, rule: Rule, data: Mapping[str, Any], by: str) -> None:
        """Put another rule in its place."""
        if _judging(rule) != _judging(self.rule):
            self.set_by = by
        self.rule, self.data, self.on = rule, data, True

    @property
    def origin(self) -> Origin | None:
        """Where it comes from; None for a built-in rule that nobody changed."""
        changed = self.rule != self.written.rule
        if self.pack == BUILT_IN and not changed:
            return None
        return Origin(self.pack, self.set_by, self.written.rule if changed else None, self.written.source.file)


def _judging(rule: Rule) -> tuple[object, ...]:
    """Return what of a rule a verdict hangs on; its words do not count."""
    return rule.measure, rule.when, rule.while_, rule.given, rule.active, rule.quantify, rule.condition


def gather(chain: Chain) -> dict[str, Entry]:
    """Return the rules of every pack by their ids; a second rule with an id is a fault."""
    entries: dict[str, Entry] = {}
    for pack in chain.packs:
        for one in pack.rules:
            known = entries.get(one.rule.id)
            if known is None:
                entries[one.rule.id] = Entry(pack.name, one, one.rule, one.source.data, pack.name)
                continue
            what = f"{one.rule.id} is already the id of {known.rule.title!r} in {known.pack}"
            change = "; to change that rule, name it under `set` in a profile"
            chain.faults.append(one.source.fault(("id",), what + change))
    return entries


def rows_of(chain: Chain) -> Rows:
    """Return the rows in force: the built-in ones, then those of packs; a row that is there already is a fault.

    A plain folder of rules that stands for the built-in ones may bring rows that stand for the built-in rows.
    """
    base = chain.base
    alone = base.rows if base.manifest is None and base.rows is not None else None
    rows = alone or built_in().rows
    assert rows is not None
    for pack in chain.packs:
        if pack.rows is not None and pack.rows not in (alone, built_in().rows):
            rows = _added(rows, pack, chain)
    return rows


def _added(rows: Rows, pack: Pack, chain: Chain) -> Rows:
    assert pack.rows is not None
    assert pack.rows_source is not None
    known = {item.id for chapter in rows.chapters for item in chapter.items}
    chapters: list[Chapter] = []
    for number, chapter in enumerate(pack.rows.chapters):
        new = []
        for place, item in enumerate(chapter.items):
            if item.id in known:
                where: Place = ("chapters", number, "items", place, "id")
                chain.faults.append(pack.rows_source.fault(where, f"{item.id!r} is a row already"))
            else:
                new.append(item)
                known.add(item.id)
        chapters += [Chapter(title=chapter.title, items=new)] if new else []
    for name, article in pack.rows.sources.items():
        if rows.sources.get(name, article) != article:
            what = f"{name!r} stands for {rows.sources[name]!r} already"
            chain.faults.append(pack.rows_source.fault(("sources", name), what))
    for name in pack.rows.causes.keys() & rows.causes:
        chain.faults.append(pack.rows_source.fault(("causes", name), f"{name!r} is a group of causes already"))
    return Rows(
        sources={**pack.rows.sources, **rows.sources},
        chapters=[*rows.chapters, *chapters],
        causes={**pack.rows.causes, **rows.causes},
    )


@dataclass(frozen=True)
class Names:
    """What the rules of a chain may name.

    Attributes:
        rows: ids of the rows in force.
        groups: names of the groups of causes.
    """

    rows: Collection[str]
    groups: Collection[str]

    @classmethod
    def of(cls, rows: Rows) -> Names:
        """Return what rows in force can be called."""
        return cls([item.id for chapter in rows.chapters for item in chapter.items], list(rows.causes))

    def unknown_to(self, rule: Rule) -> list[tuple[Place, str]]:
        """Return the path of each row and group that a rule names and that is none, and what to say of it."""
        return self._unknown([(("checklist",), rule.checklist), *_placed(("explained_by",), rule.explained_by)])

    def unknown_in(self, rows: Rows) -> list[tuple[Place, str]]:
        """Return the same of the groups of causes in a pack's rows."""
        return self._unknown([one for name, group in rows.causes.items() for one in _placed(("causes", name), group)])

    def _unknown(self, named: Sequence[tuple[Place, str]]) -> list[tuple[Place, str]]:
        # A cause may be a rule of a pack that is not in force: their ids are not checked.
        wrong = [
            (path, name) for path, name in named if not (name.isupper() or name in self.rows or name in self.groups)
        ]
        return [(path, self._no(name)) for path, name in wrong[:_MOST]]

    def _no(self, name: str) -> str:
        legal, kind = (self.rows, "row of the checklist") if "." in name else (self.groups, "group of causes")
        return f"{name!r} is no {kind}{nearest(name, legal)}"


def _placed(path: Place, names: Sequence[str]) -> list[tuple[Place, str]]:
    return [((*path, number), name) for number, name in enumerate(names)]
