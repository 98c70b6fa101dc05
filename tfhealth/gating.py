"""Results and a gate -> whether they pass it, and why they do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tfhealth.result import Result
    from tfhealth.rules.checklist import Gate

__all__ = ["Gated", "gated", "in_words"]

_UNDECIDED = ("not_measured", "error")


@dataclass(frozen=True)
class Gated:
    """What a gate says.

    Attributes:
        word: `failed` where a finding reaches the gate's severity; suppressed ones do not count. `incomplete` where it
            would pass, but a run did not end by itself, is damaged, could not be judged at all, or does not decide what
            is required. Without a severity to fail on and rows to require, `passed`.
        reasons: why it does not pass, one sentence each.
    """

    word: Literal["passed", "failed", "incomplete"]
    reasons: tuple[str, ...] = ()


def gated(results: Sequence[Result], by: Gate) -> Gated:
    """Return what a gate says of results."""
    if by.fail_on is None and not by.require:
        return Gated("passed")
    if failing := _failing(results, by):
        return Gated("failed", tuple(failing))
    missing = _missing(results, by)
    return Gated("incomplete" if missing else "passed", tuple(missing))


def in_words(gate: Gate) -> tuple[str, ...]:
    """Return what a gate asks for, one sentence each; nothing where it asks for nothing."""
    said = []
    if gate.fail_on is not None:
        but = f", but for rules that begin with {', '.join(gate.ignore)}" if gate.ignore else ""
        said.append(f"A finding of severity {gate.fail_on} or above fails it{but}.")
    if gate.require:
        said.append(f"It is incomplete without a verdict on {', '.join(gate.require)}.")
    return tuple(said)


def _failing(results: Sequence[Result], by: Gate) -> list[str]:
    from tfhealth.conditions import SEVERITIES

    if by.fail_on is None:
        return []
    grave = SEVERITIES[SEVERITIES.index(by.fail_on) :]
    return [
        f"{finding.rule} in {result.run.name}: a finding of severity {finding.severity}"
        for result in results
        for finding in result.findings
        if finding.severity in grave and not finding.rule.startswith(by.ignore)
    ]


def _missing(results: Sequence[Result], by: Gate) -> list[str]:
    """Return what keeps a gate without a grave finding from passing."""
    found = [] if results else ["there is no run to judge"]
    for result in results:
        name = result.run.name
        if not result.run.complete:
            found.append(f"{name} is not complete: {result.run.damage or result.run.status}")
        if result.verdict == "not_measured":
            found.append(f"{name} could not be judged at all")
        verdicts = {row.id: row.verdict for row in result.checklist} | {one.rule: one.verdict for one in result.rules}
        for required in by.require:
            verdict = verdicts.get(required, "not in the checklist")
            if required not in verdicts or verdict in _UNDECIDED:
                found.append(f"{required} in {name} is required and {verdict.replace('_', ' ')}")
    return found
