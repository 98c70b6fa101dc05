"""(Finding, Rule in force) -> a profile, as YAML, that accepts exactly this finding or moves its limit."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from tfhealth.report.evidence import bound_of
from tfhealth.report.limits import Form
from tfhealth.result import Finding
from tfhealth.rules.patterns import matches

__all__ = ["snippet", "suppressed"]

_MOST_ENTRIES = 3
_LONGEST_NAME = 80
_DAYS = 183
_REASON = "say why this is right for your model"
_PLAIN = re.compile(r"(?:\./)?[A-Za-z_][\w./-]*(?: [\w./-]+)*", re.ASCII)
_SPECIAL = re.compile(r"[*?\[]")
_WORDS = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")


def snippet(finding: Finding, form: Form, profile: str | None, today: date) -> str:
    """Return the text of a profile that accepts the finding for half a year; as a comment, one that moves its limit.

    Args:
        finding: what is to be silent.
        form: the form of the rule that found it.
        profile: the profile in force, which the new one extends; None: there is none.
        today: from when the half year counts.
    """
    return "\n".join([suppressed([finding], profile, today), *_moved(finding, form)])


def suppressed(findings: Sequence[Finding], profile: str | None, today: date) -> str:
    """Return the text of a profile that accepts all `findings` for half a year."""
    lines = [] if profile is None else [f"extends: {_flow([_file(profile)])}"]
    lines.append("suppress:")
    for finding in findings:
        for place in _places(finding):
            match = {"match": place} if place else {}
            entry = {"rule": finding.rule, **match, "reason": _REASON, "expires": _expiry(today)}
            lines.append(f"  - {_flow(entry)}")
    return "\n".join(lines)


def _moved(finding: Finding, form: Form) -> list[str]:
    """Return, as a comment, what sets the limit that was breached, where it is set now; nothing where it has none."""
    bound = None if form.rule is None else bound_of(finding, form.rule)
    if bound is None or not bound.limits():
        return []
    written = bound.model_dump(mode="json", by_alias=True, exclude_unset=True)
    patch = {finding.rule: {"condition": {finding.severity: written}}}
    lines = ["# or instead, with a limit of your own:"]
    if form.override is None:
        return [*lines, "# set:", f"#   {_flow(patch)[1:-1]}"]
    return [*lines, "# overrides:", f"#   - {_flow({'match': form.override.match, 'set': patch})}"]


def _file(profile: str) -> str:
    """Return where a profile of this name most likely is; a pyproject.toml is called by its path."""
    return profile if profile.endswith(".toml") else f"./{profile}.yaml"


def _places(finding: Finding) -> list[str]:
    """Return the globs of the finding's sites; one empty glob, for every site, where they are many or have no glob."""
    names = list(dict.fromkeys(one.name for one in finding.sites)) or [finding.site]
    # A lone half of a surrogate pair cannot be written; as `?` it still matches.
    globs = [_SPECIAL.sub(r"[\g<0>]", name).encode("utf-8", "replace").decode() for name in names]
    exact = all(matches(glob, name) and len(name) <= _LONGEST_NAME for glob, name in zip(globs, names, strict=True))
    return globs if exact and len(names) <= _MOST_ENTRIES else [""]


def _expiry(today: date) -> date:
    """Return the last day of a month, about half a year ahead."""
    later = today + timedelta(days=_DAYS)
    return (later.replace(day=1) + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def _flow(value: Any) -> str:
    """Return data as YAML in one line.

    >>> _flow({"ACT001": {"condition": {"error": {"outside": [0.1, 10.0], "equals": "off"}}}})
    '{ACT001: {condition: {error: {outside: [0.1, 10], equals: "off"}}}}'
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, float):
        return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
    if not isinstance(value, str):
        return str(value)
    return value if _PLAIN.fullmatch(value) and value.lower() not in _WORDS else _quoted(value)


def _quoted(text: str) -> str:
    """Return text between double quotes; what cannot be seen is written by its number."""
    return '"' + "".join(_letter(one) for one in text) + '"'


def _letter(one: str) -> str:
    if one in '"\\':
        return f"\\{one}"
    hidden = unicodedata.category(one)[0] in "CZ" and one != " "
    return f"\\U{ord(one):08x}" if hidden else one
