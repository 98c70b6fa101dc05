"""What was tried -> how much of it held, and a fault for each part that did not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tfhealth.errors import Fault

__all__ = ["Tally"]


@dataclass(frozen=True)
class Tally:
    """How trials went.

    Attributes:
        passed: how many expectations held.
        failures: for each that did not, where it stands, what was expected and what was found.
    """

    passed: int = 0
    failures: tuple[Fault, ...] = ()

    @classmethod
    def of(cls, results: Iterable[Fault | None]) -> Tally:
        """Count results: None for what held, a fault for what did not."""
        found = list(results)
        failures = tuple(one for one in found if one is not None)
        return cls(len(found) - len(failures), failures)

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.passed + other.passed, self.failures + other.failures)
