"""Step number and seconds so far -> whether to probe it: dense at first, then thinning, then held by a budget."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tfhealth.errors import UsageError

__all__ = ["Schedule"]

_DENSE = 20  # the first steps matter most
_SPACING = 1.15  # then at least at steps 23, 27, 31 … each 15 % later than the last
_KEPT = 15


@dataclass
class Schedule:
    """Decides which steps are probed.

    Args:
        every: N probes every N-th step; "auto" the early ones, then log-spaced ones, then what the budget allows.
        overhead: share of the training's wall time that probes beyond the log-spaced ones may cost.
        start: no step before this one is probed, but in a window.
        windows: (first, end) of stretches of steps, `end` not included, of which every step is probed.

    Raises:
        UsageError: one of them cannot be meant.
    """

    every: int | Literal["auto"] = "auto"
    overhead: float = 0.02
    start: int = 0
    windows: Sequence[tuple[int, int]] = ()
    _next: int = 0
    _probed: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))
    _plain: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))
    _elapsed: float = 0.0
    _spent: float = 0.0
    _price: float = 0.0
    _stale: int = 0  # executions since the price was found

    def __post_init__(self) -> None:
        if self.every != "auto" and (isinstance(self.every, bool) or not isinstance(self.every, int) or self.every < 1):
            raise UsageError(f'every must be "auto" or a whole number from 1, received {self.every!r}')
        if not 0 <= self.overhead <= 1:
            raise UsageError(f"overhead is a share of the training's time, 0 to 1, received {self.overhead!r}")
        if not _is_step(self.start):
            raise UsageError(f"start must be the number of a step, from 0, received {self.start!r}")
        for window in self.windows:
            if not (isinstance(window, Sequence) and len(window) == 2 and all(map(_is_step, window))):
                raise UsageError(f"windows must be pairs (first step, end), received {window!r}")
            if window[0] >= window[1]:
                raise UsageError(f"a window must end after its first step, received {window!r}")

    def due(self, step: int, count: int = 1) -> bool:
        """Tell whether the execution of steps `step` … `step + count − 1` (counted within this fit) is probed."""
        if self.windows and any(first < step + count and step < end for first, end in self.windows):
            return True
        if step + count <= self.start:
            return False
        step = max(step - self.start, 0)
        if self.every != "auto":
            return step % self.every == 0 or step // self.every != (step + count - 1) // self.every
        if step < _DENSE or step + count > self._next:
            self._next = max(int((step + count) * _SPACING), step + count)
            return True
        return self._affordable()

    def _affordable(self) -> bool:
        if not self._plain or not self._probed:
            return False
        return self._spent + self.price <= self.overhead * self._elapsed

    @property
    def price(self) -> float:
        """Seconds that one probed execution costs beyond a plain one; 0 while not known."""
        return self._price

    def _measured(self) -> float:
        if not self._plain or not self._probed:
            return 0.0
        plain = statistics.median(self._plain)
        # A difference within the noise of the clock is no proof that probing is free.
        return max(statistics.median(self._probed) - plain, 0.1 * plain)

    def took(self, seconds: float, probed: bool) -> None:
        """Take note of one execution's wall time; executions that compiled do not count."""
        (self._probed if probed else self._plain).append(seconds)
        self._elapsed += seconds
        self._stale += 1
        if probed or self._stale >= _KEPT or not self._price:  # medians at every step would be felt in short ones
            self._price, self._stale = self._measured(), 0
        if probed:
            self._spent += self.price

    @property
    def cost(self) -> float | None:
        """Measured share of the wall time that probing cost; None while not known."""
        return self._spent / self._elapsed if self._elapsed and self._plain and self._probed else None


def _is_step(number: Any) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= 0
