"""Exit codes, and the gate that chooses between them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

from tfhealth.gating import Gated, gated

if TYPE_CHECKING:
    from tfhealth.result import Result
    from tfhealth.rules.checklist import Gate

__all__ = ["Exit", "exit_of", "gate", "shown_gate", "told_gate"]

_SHOWN = 10


class Exit(IntEnum):
    """What the commands return; `run` returns the script's own code where that is not 0."""

    PASSED = 0
    FAILED = 1
    USAGE = 2
    INCOMPLETE = 3


_CODES = {"passed": Exit.PASSED, "failed": Exit.FAILED, "incomplete": Exit.INCOMPLETE}


def exit_of(found: Gated) -> Exit:
    """Return what a build gets for what a gate says."""
    return _CODES[found.word]


def gate(results: Sequence[Result], by: Gate) -> Exit:
    """Return what a build gets for these results."""
    return exit_of(gated(results, by))


def told_gate(results: Sequence[Result], by: Gate) -> Exit:
    """Return what `gate` does, and print on standard error why it does not pass."""
    found = gated(results, by)
    return shown_gate(exit_of(found), found.reasons)


def shown_gate(code: Exit, reasons: Sequence[str]) -> Exit:
    """Print on standard error why a gate does not pass; return the code."""
    from tfhealth.console import one_line

    if reasons:
        word = "failed" if code == Exit.FAILED else "is incomplete"
        more = [f"and {len(reasons) - _SHOWN} more"] if len(reasons) > _SHOWN else []
        lines = [f"tfhealth: the gate {word}", *reasons[:_SHOWN], *more]
        print("\n  ".join(one_line(line) for line in lines), file=sys.stderr)
    return code
