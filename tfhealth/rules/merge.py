"""A rule as its file says it, and what a profile says of it -> the rule that is meant; plain data, not yet checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfhealth.conditions import COMBINING, SEVERITIES, Bound, Severity

__all__ = ["at_severity", "merged"]

_HOW = {"look", "window"}
_TESTS = {field.alias or name for name, field in Bound.model_fields.items()} - _HOW
"""The keys of which a bound has exactly one; the others say how it looks at a series."""
_UNLOOKED = {*(name.rstrip("_") for name in COMBINING), "nonfinite"}
"""Tests beside which there is no look and no window."""
_CHOICES = {"for", "quantify", "window"}
"""Keys that hold a mapping of one out of several keys: naming one takes the other away."""
_BY_ATTRIBUTE = {"where", "when"}
"""Keys that hold a mapping whose keys are names of attributes, not of ours."""
_POLICIES = ("missing", "nonfinite")
"""Keys of a condition that hold a severity, or a word that is none."""
_COMPLAINTS = [name for name in SEVERITIES if name != "info"]


def merged(base: Mapping[str, Any], patch: Mapping[str, Any], key: str = "") -> dict[str, Any]:
    """Lay `patch` over `base`.

    Mappings are merged, everything else is replaced, and null takes a key away. A bound has one test: where the patch
    names one, that of the base goes; how to look goes too where the new one looks for itself. `equals: null` is a test.

    Args:
        base: what there is.
        patch: what shall be different.
        key: the key that both stand under.

    >>> merged({"info": {"look": "last", "above": 3}, "for": 2}, {"info": {"below": 1}, "for": None})
    {'info': {'look': 'last', 'below': 1}}
    """
    result = dict(base)
    if key not in _BY_ATTRIBUTE and (named := _TESTS & patch.keys()):
        gone = _TESTS | _HOW if named & _UNLOOKED and _TESTS & base.keys() else _TESTS
        result = {name: value for name, value in result.items() if name not in gone}
    for name, value in patch.items():
        if value is None and not (name == "equals" and key not in _BY_ATTRIBUTE):
            result.pop(name, None)
        elif isinstance(value, Mapping) and name not in _CHOICES:
            below = result.get(name)
            result[name] = merged(below if isinstance(below, Mapping) else {}, value, name)
        else:
            result[name] = value
    return result


def at_severity(rule: Mapping[str, Any], severity: Severity) -> dict[str, Any]:
    """Return a rule whose every complaint is at one severity: its mildest complaining test, moved there.

    The other complaining rungs go; `info` stays where it is below. A rule that only notes complains with that test.

    >>> at_severity({"condition": {"info": {"above": 1}, "warning": {"above": 2}, "error": {"above": 3}}}, "critical")
    {'condition': {'info': {'above': 1}, 'critical': {'above': 2}}}
    """
    condition = dict(rule["condition"])
    tests = {name: condition.pop(name) for name in SEVERITIES if condition.get(name) is not None}
    mildest = next((tests[name] for name in _COMPLAINTS if name in tests), tests.get("info"))
    if "info" in tests and severity != "info":
        condition["info"] = tests["info"]
    if mildest is not None:
        condition[severity] = mildest
    for policy in _POLICIES:
        if condition.get(policy) in _COMPLAINTS:
            condition[policy] = severity
    return {**rule, "condition": condition}
