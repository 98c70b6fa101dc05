"""Every error of tfhealth, each an `Error` that says what, where, what is legal and the nearest legal name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

__all__ = ["Error", "Fault", "Level", "PartError", "RuleError", "RunError", "UsageError", "about", "nearest"]

Level = Literal["error", "warning"]


class Error(Exception):
    """Base of every error that tfhealth raises on purpose."""


class UsageError(Error):
    """An argument, option or path that cannot be meant."""


class RunError(Error):
    """A run directory that is missing, damaged or from a newer version."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in one rule, pack or profile file: where it stands and what would be right.

    Attributes:
        file: as it is shown.
        line: from 1.
        column: from 1.
        path: the keys that lead there, joined by dots.
        what: what is wrong, what is legal, the nearest legal name.
        level: an error makes the file useless, a warning does not.
    """

    file: str
    line: int
    column: int
    path: str
    what: str
    level: Level = "error"

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}"
        what = self.what if self.level == "error" else f"warning: {self.what}"
        return f"{where} {self.path}: {what}" if self.path else f"{where}: {what}"


class PartError(ValueError):
    """A validator's complaint about a whole mapping that is about one part of it: faults point there.

    Args:
        what: what is wrong.
        path: the keys that lead from the mapping to the part.
    """

    def __init__(self, what: str, *path: str | int) -> None:
        super().__init__(what)
        self.path = path


@contextmanager
def about(*path: str | int) -> Iterator[None]:
    """Let a ValueError that is raised inside be about the part of a mapping to which `path` leads."""
    try:
        yield
    except ValueError as error:
        raise PartError(str(error), *path) from None


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
