"""Results -> GitHub's workflow commands, one line each."""

from __future__ import annotations

from collections.abc import Sequence

from tfhealth.report.words import clean, shorten, visible
from tfhealth.result import Finding, Result

__all__ = ["command", "workflow_commands"]

_LEVELS = {"fail": "error", "warn": "warning"}
_LONGEST = 4000


def workflow_commands(results: Sequence[Result]) -> tuple[str, ...]:
    """Return a command for each finding and each warning; suppressed findings make none."""
    found = []
    for result in results:
        run = f" in {result.run.name}" if len(results) > 1 else ""
        found += [command(_LEVELS[one.verdict], _title(one) + run, _message(one)) for one in result.findings]
        found += [command("warning", f"tfhealth{run}", one) for one in result.warnings]
    return tuple(found)


def command(level: str, title: str, message: str, **place: str | int) -> str:
    """Return one annotation.

    Args:
        level: error, warning or notice.
        title: its heading, shortened to 120 characters.
        message: its text, Markdown is shown as it stands.
        place: `file`, `line` and `col` that it is about.

    >>> command("error", "a: b", "c", file="d.yaml", line=3)
    '::error file=d.yaml,line=3,title=a%3A b::c'
    """
    words = {**place, "title": shorten(" ".join(clean(title).split()), 120)}
    listed = ",".join(f"{name}={_property(visible(word))}" for name, word in words.items())
    return f"::{level} {listed}::{_escaped(clean(message)[:_LONGEST])}"


def _title(finding: Finding) -> str:
    return f"tfhealth {finding.rule}: {finding.title}"


def _message(finding: Finding) -> str:
    return f"{finding.message}\n{finding.advice}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
