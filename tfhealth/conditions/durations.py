"""Where a test is breached -> since when it lasts: durations and windows in probes, steps, epochs and shares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, PositiveInt, model_validator

from tfhealth.conditions.clock import Clock
from tfhealth.series import Floats, Ints, Panel

__all__ = ["Lasting", "Mask", "Window", "covered", "since"]

Mask = NDArray[np.bool_]

_FEWEST = 3  # probes that a share of the run must have to mean anything
_STRETCH = 2  # probes that show that something lasted for several steps


class _Span(BaseModel):
    """A length of time, in exactly one of its units."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    probes: PositiveInt | None = Field(None, description="number of probes")
    steps: PositiveInt | None = Field(None, description="number of steps, however many of them were probed")
    epochs: FiniteFloat | None = Field(None, gt=0, description="number of epochs, may be a fraction")

    @model_validator(mode="after")
    def _one_unit(self) -> _Span:
        legal = type(self).model_fields
        given = [name for name in legal if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"needs exactly one of {', '.join(legal)}; received {', '.join(given) or 'none'}")
        return self

    def span(self, clock: Clock) -> float | None:
        """Return the length in steps; None where it is given in another unit that steps cannot be made of."""
        if self.epochs is not None:
            return clock.steps(self.epochs)
        return None if self.steps is None else float(self.steps)


class Window(_Span):
    """How much of a series, counted back from each probe, a look is taken at."""


class Lasting(_Span):
    """How long a breach must last without a break.

    Probes are dense at first and rare later: a number of them says little of time, and a share of the run would
    overrate the start if it were one of probes. So each probe stands for the steps until the next one.
    """

    share: float | None = Field(None, gt=0, le=1, description="share of the steps that the run's probes stand for")

    @property
    def fewest(self) -> int:
        """The least number of probes that can last so long."""
        if self.probes is not None:
            return self.probes
        return _FEWEST if self.share is not None else 1 if self.steps == 1 else _STRETCH


def since(mask: Mask, panel: Panel, lasting: Lasting, clock: Clock) -> Ints:
    """Return for each row of bool[S, n] the first column of the first unbroken stretch that lasts, or -1."""
    if panel.measured.all():
        return _start(mask, panel.steps, lasting, clock)
    # Sites that were measured at other steps than their neighbors: each by its own probes, a gap is no break.
    found = np.full(len(mask), -1)
    alike: dict[bytes, list[int]] = {}
    for row, measured in enumerate(panel.measured):
        alike.setdefault(measured.tobytes(), []).append(row)
    for rows in alike.values():
        columns = np.flatnonzero(panel.measured[rows[0]])
        if len(columns):
            start = _start(mask[rows][:, columns], panel.steps[columns], lasting, clock)
            found[rows] = np.where(start >= 0, columns[start], -1)
    return found


def covered(panel: Panel) -> Floats:
    """Return how many steps the probes of each site stand for, float64[S]."""
    return np.array([_weights(panel.steps[measured]).sum() for measured in panel.measured])


def _start(mask: Mask, steps: Ints, lasting: Lasting, clock: Clock) -> Ints:
    """Do the work of `since` for rows that were all measured at `steps`, int64[n]."""
    found = np.full(len(mask), -1)
    rows = np.flatnonzero(mask.any(axis=1))
    if len(rows):
        found[rows] = _started(mask[rows], steps, lasting, clock)
    return found


def _started(mask: Mask, steps: Ints, lasting: Lasting, clock: Clock) -> Ints:
    """Do the work of `_start` for rows that are True somewhere."""
    enough = mask & (_held(mask, np.ones(len(steps))) >= lasting.fewest) if lasting.fewest > 1 else mask
    if lasting.probes is None:
        weights = _weights(steps)
        span = lasting.span(clock) if lasting.share is None else lasting.share * weights.sum()
        assert span is not None  # one of the units is given
        enough = enough & (_held(mask, weights) >= span - 1e-9)
    place = np.argmax(enough, axis=1)
    columns = np.arange(mask.shape[1])
    last_break = np.max(np.where(~mask & (columns < place[:, None]), columns, -1), axis=1, initial=-1)
    return np.where(np.any(enough, axis=1), last_break + 1, -1)


def _held(mask: Mask, weights: Floats) -> Floats:
    """Return for each place the sum of `weights`, float64[n], over the unbroken stretch of True that ends there."""
    held = np.cumsum(mask * weights, axis=1)
    broken: Floats = np.maximum.accumulate(np.where(mask, 0.0, held), axis=1)
    return held - broken


def _weights(steps: Ints) -> Floats:
    """Return how many steps each probe stands for: those until the next one; the last as many as the one before."""
    if len(steps) < 2:
        return np.ones(len(steps))
    gaps = np.diff(steps).astype(np.float64)
    return np.append(gaps, gaps[-1])
