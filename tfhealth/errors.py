"""Every error of tfhealth, each an `Error` that says what, where, what is legal and the nearest legal name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Error", "Fault", "RuleError", "RunError", "UsageError", "nearest"]


class Error(Exception):
    """Base of every error that tfhealth raises on purpose."""


class UsageError(Error):
    """An argument, option or path that cannot be meant."""


class RunError(Error):
    """A run directory that is missing, damaged or from a newer version."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in one rule file: where it stands and what would be right."""

    file: str
    line: int
    column: int
    path: str
    what: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}"
        return f"{where} {self.path}: {self.what}" if self.path else f"{where}: {self.what}"


class RuleError(Error):
    """Rule files that cannot be used: all their faults at once, each with file, line and column."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(sorted(faults, key=lambda fault: (fault.file, fault.line, fault.column)))
        count = len(self.faults)
        head = f"{count} fault{'s' if count != 1 else ''} in the rules"
        super().__init__("\n".join([head, *(f"  {fault}" for fault in self.faults)]))


def nearest(name: str, legal: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the legal name closest to `name`, or an empty string.

    >>> nearest("treshold", ["threshold", "title"])
    "; did you mean 'threshold'?"
    """
    close = difflib.get_close_matches(name, sorted(legal), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""
