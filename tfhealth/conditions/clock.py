"""Where a fit began and ended and how long its epochs were -> steps: what a phase or an epoch is in one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["PHASES", "Clock", "phase"]


@dataclass(frozen=True, slots=True)
class Clock:
    """The time of one fit.

    Attributes:
        first: its first step; a fit that goes on with a trained model does not begin at 0.
        end: the step after the last one that was seen.
        epoch: steps in an epoch; None where that is not known.
    """

    first: int = 0
    end: int = 0
    epoch: float | None = None

    def steps(self, epochs: float) -> float:
        """Return how many steps so many epochs have.

        Raises:
            ValueError: how many steps an epoch has is not known.
        """
        if self.epoch is None:
            raise ValueError("how many steps an epoch has is not known")
        return round(epochs * self.epoch, 6)  # 0.3 epochs of 10 steps are 3 steps, whatever floats make of it


def phase(name: str, clock: Clock) -> tuple[float, float]:
    """Return where the phase `name` begins and the step before which it ends."""
    return PHASES[name][0](clock)


def _warm(clock: Clock) -> float:
    return clock.first + (clock.end - clock.first) / 10


def _late(clock: Clock) -> float:
    return clock.end - (clock.end - clock.first) / 4


PHASES: dict[str, tuple[Callable[[Clock], tuple[float, float]], str]] = {
    "first": (lambda clock: (clock.first, clock.first + 1), "the first step of this fit"),
    "warm_up": (lambda clock: (clock.first, _warm(clock)), "the first tenth of the fit's steps"),
    "steady": (lambda clock: (_warm(clock), clock.end), "the fit's steps after the first tenth"),
    "end": (lambda clock: (_late(clock), clock.end), "the last quarter of the fit's steps"),
}
"""The parts of a fit that a rule may be about; of a training that goes on, the parts of what was seen so far."""
