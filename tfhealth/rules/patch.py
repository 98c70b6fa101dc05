"""(a rule's data, what a profile says of it) -> the rule that is meant, or faults that point into the profile."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from tfhealth.conditions import SEVERITIES
from tfhealth.errors import Fault, Level, nearest
from tfhealth.rules import source
from tfhealth.rules.merge import at_severity, merged
from tfhealth.rules.model import Rule
from tfhealth.rules.source import Place, Source

__all__ = ["BY_SITE", "PARTIAL", "patched"]

_SEVERITY = "severity"
_FIXED = {"format", "id", "deprecated"}
PARTIAL = (
    *(name for name in (field.alias or key for key, field in Rule.model_fields.items()) if name not in _FIXED),
    _SEVERITY,
)
"""The keys of a partial rule."""
BY_SITE = ("condition", _SEVERITY, "message", "advice")
"""Those that may differ from site to site."""


def patched(
    base: Mapping[str, Any], patch: Mapping[str, Any], profile: Source, entry: Place, legal: Collection[str]
) -> tuple[Rule, dict[str, Any]] | list[Fault]:
    """Lay a partial rule over a rule and validate what comes out.

    Args:
        base: the rule as its file, and profiles before this one, say it.
        patch: a partial rule.
        profile: the file that has it.
        entry: the path that leads to it there.
        legal: the keys that it may have.

    Returns:
        The rule and its data; every fault where there is one.
    """
    data = merged(base, {key: value for key, value in patch.items() if key in legal and key != _SEVERITY})
    found = _Merged(profile, entry, data)
    faults = [_unknown(found, key, legal) for key in patch if key not in legal]
    severity = patch.get(_SEVERITY)
    if _SEVERITY in patch and severity not in SEVERITIES:
        faults.append(found.fault((_SEVERITY,), _no_severity(severity)))
    try:
        rule = Rule.model_validate(data)
        if severity in SEVERITIES:
            data = at_severity(data, severity)
            rule = Rule.model_validate(data)
    except ValidationError as error:
        faults += source.faults(found, error, Rule)
        return faults
    return faults or (rule, data)


class _Merged(Source):
    """A merged rule: its parts stand in the profile where it names them, else where it begins to speak of the rule."""

    def __init__(self, profile: Source, entry: Place, data: Any) -> None:
        super().__init__(profile.file, data)
        self._profile, self._entry = profile, entry

    def fault(self, path: Sequence[str | int], what: str, level: Level = "error") -> Fault:
        return self._profile.fault((*self._entry, *path), what, level)


def _unknown(found: Source, key: str, legal: Collection[str]) -> Fault:
    return found.fault((key,), f"unknown key {key!r}; legal: {', '.join(legal)}{nearest(key, legal)}")


def _no_severity(severity: Any) -> str:
    hint = nearest(severity, SEVERITIES) if isinstance(severity, str) else ""
    return f"severity {severity!r} is unknown; legal: {', '.join(SEVERITIES)}{hint}"
