"""Exit codes, and the gate that chooses between them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

from tfhealth.gating import gated

if TYPE_CHECKING:
    from tfhealth.result import Result
    from tfhealth.rules.checklist import Gate

__all__ = ["Exit", "gate", "gate_reasons", "shown_gate", "told_gate"]

_SHOWN = 10


class Exit(IntEnum):
    """What the commands return; `run` returns the script's own code where that is not 0."""

    PASSED = 0
    FAILED = 1
    USAGE = 2
    INCOMPLETE = 3


_CODES = {"passed": Exit.PASSED, "failed": Exit.FAILED, "incomplete": Exit.INCOMPLETE}


def gate(results: Sequence[Result], by: Gate) -> Exit:
    """Return what a build gets for these results, as `gated` says."""
    return _CODES[gated(results, by).word]


def gate_reasons(results: Sequence[Result], by: Gate) -> tuple[str, ...]:
    """Return why the gate does not pass, one sentence each; nothing where it does."""
    return gated(results, by).reasons


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
