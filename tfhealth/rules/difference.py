"""(Checklist, Checklist) -> what the one has, says and accepts that the other does not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfhealth.rules.checklist import Checklist, Override, Suppression
from tfhealth.rules.model import Rule

__all__ = ["Change", "Difference", "changes", "difference", "shown"]

_LONGEST = 120


@dataclass(frozen=True)
class Change:
    """One key that two sides say differently.

    Attributes:
        key: the keys that lead there, joined by dots.
        old: plain data; None: nothing is said.
        new: the same of the other side.
    """

    key: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.key}: {shown(self.old)} → {shown(self.new)}"


@dataclass(frozen=True)
class Difference:
    """How two checklists differ.

    Attributes:
        removed: rules of the first alone, in its order.
        added: rules of the second alone, in its order.
        changed: {id of a rule of both: what differs}, without those that are the same.
        settings: what differs in gate, suppressions, overrides, baseline, groups of causes and rows.
    """

    removed: tuple[Rule, ...]
    added: tuple[Rule, ...]
    changed: Mapping[str, tuple[Change, ...]]
    settings: tuple[Change, ...]

    def __bool__(self) -> bool:
        return bool(self.removed or self.added or self.changed or self.settings)


def difference(old: Checklist, new: Checklist) -> Difference:
    """Compare two checklists by what they say, not by who says it."""
    before, after = ({rule.id: rule for rule in one.rules} for one in (old, new))
    pairs = {name: changes(rule, after[name]) for name, rule in before.items() if name in after}
    return Difference(
        tuple(rule for name, rule in before.items() if name not in after),
        tuple(rule for name, rule in after.items() if name not in before),
        {name: found for name, found in pairs.items() if found},
        _compared(_settings(old), _settings(new)),
    )


def changes(old: Rule, new: Rule) -> tuple[Change, ...]:
    """Return what differs between two forms of a rule; a default that is written out is no difference."""
    return _compared(_flat(_data(old)), _flat(_data(new)))


def _compared(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    keys = dict.fromkeys([*old, *new])
    return tuple(Change(key, old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key))


def _data(rule: Rule) -> dict[str, Any]:
    return rule.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _flat(data: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return {keys joined by dots: value}; a list is one value, as it is where it is merged."""
    found: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, Mapping) and value:
            found |= _flat(value, f"{before}{key}.")
        else:
            found[f"{before}{key}"] = value
    return found


def _settings(checklist: Checklist) -> dict[str, Any]:
    """Return what a checklist says beside its rules, flat."""
    gate = checklist.gate
    said: dict[str, Any] = {
        "gate.fail_on": gate.fail_on,
        "gate.ignore": list(gate.ignore) or None,
        "gate.require": list(gate.require) or None,
        "baseline": checklist.baseline.name if checklist.baseline else None,
    }
    said |= {f"suppress {one.rule} at {one.match}": _accepted(one) for one in checklist.suppressions}
    said |= {f"override {one.id} at {one.match}": _overridden(one, checklist) for one in checklist.overrides}
    said |= {f"causes {name}": list(group) for name, group in checklist.causes.items()}
    return said | {f"row {item.id}": item.asks for item in checklist.items}


def _accepted(suppression: Suppression) -> str:
    return suppression.reason + (f" (until {suppression.expires})" if suppression.expires else "")


def _overridden(override: Override, checklist: Checklist) -> Any:
    if override.rule is None:
        return "off"
    base = checklist.rule(override.id)
    return {one.key: one.new for one in changes(base, override.rule)} if base else _data(override.rule)


def shown(value: Any) -> str:
    """Return plain data on one line, in the words of YAML; `nothing` for what is not said."""
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
