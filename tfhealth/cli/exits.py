"""Exit codes, and the gate that chooses between them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfhealth.result import Result
    from tfhealth.rules.checklist import Gate

__all__ = ["Exit", "gate", "gate_reasons", "shown_gate", "told_gate"]

_UNDECIDED = ("not_measured", "error")
_SHOWN = 10


class Exit(IntEnum):
    """What the commands return; `run` returns the script's own code where that is not 0."""

    PASSED = 0
    FAILED = 1
    USAGE = 2
    INCOMPLETE = 3


def gate(results: Sequence[Result], by: Gate) -> Exit:
    """Return what a build gets for these results; without a severity to fail on and rows to require it is PASSED.

    FAILED where a finding reaches the severity; suppressed ones do not count. INCOMPLETE where the gate would pass, but
    a run did not end by itself, is damaged, could not be judged at all, or does not decide what is required.
    """
    if by.fail_on is None and not by.require:
        return Exit.PASSED
    if _failing(results, by):
        return Exit.FAILED
    return Exit.INCOMPLETE if _missing(results, by) else Exit.PASSED


def gate_reasons(results: Sequence[Result], by: Gate) -> tuple[str, ...]:
    """Return why the gate does not pass, one sentence each; nothing where it does."""
    code = gate(results, by)
    if code == Exit.PASSED:
        return ()
    return tuple(_failing(results, by) if code == Exit.FAILED else _missing(results, by))


def told_gate(results: Sequence[Result], by: Gate) -> Exit:
    """Return what `gate` does, and print on standard error why it does not pass."""
    return shown_gate(gate(results, by), gate_reasons(results, by))


def shown_gate(code: Exit, reasons: Sequence[str]) -> Exit:
    """Print on standard error why a gate does not pass; return the code."""
    from tfhealth.console import one_line

    if reasons:
        word = "failed" if code == Exit.FAILED else "is incomplete"
        more = [f"and {len(reasons) - _SHOWN} more"] if len(reasons) > _SHOWN else []
        lines = [f"tfhealth: the gate {word}", *reasons[:_SHOWN], *more]
        print("\n  ".join(one_line(line) for line in lines), file=sys.stderr)
    return code


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
