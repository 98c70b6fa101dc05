"""Exit codes, and the gate that chooses between two of them."""

from __future__ import annotations

from enum import IntEnum

from tfhealth.conditions import SEVERITIES
from tfhealth.result import Result

__all__ = ["Exit", "gate"]


class Exit(IntEnum):
    """What the commands return; `run` returns the script's own code where that is not 0."""

    PASSED = 0
    FAILED = 1
    USAGE = 2
    INCOMPLETE = 3


def gate(results: list[Result], fail_on: str | None) -> Exit:
    """Return PASSED where no finding reaches the severity `fail_on`; without it nothing is gated.

    INCOMPLETE where the gate would pass, but a run did not end by itself, is damaged, or could not be judged at all.
    """
    if fail_on is None:
        return Exit.PASSED
    grave = SEVERITIES[SEVERITIES.index(fail_on) :]
    if any(finding.severity in grave for result in results for finding in result.findings):
        return Exit.FAILED
    if not results or any(not one.run.complete or one.verdict == "not_measured" for one in results):
        return Exit.INCOMPLETE
    return Exit.PASSED
