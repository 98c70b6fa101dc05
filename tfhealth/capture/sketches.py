"""Chosen layers of a probed step -> histograms at a few steps, as sums that the host adds up over replicas."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from tfhealth.capture.rows import make_variables
from tfhealth.histograms import BINS, FINITE, PER_DECADE, SIDE, SMALLEST
from tfhealth.series import Floats, Site

__all__ = ["Sketches", "counted"]

_MOST = 64  # sites of one step
_GROWTH = 4  # each step that is looked at comes at four times the one before


@dataclass(frozen=True, eq=False)
class _Trace:
    """What one trace writes on one replica: counts int64[sites, BINS], and the step + 1, int64; 0: nothing."""

    sites: tuple[Site, ...]
    counts: Any
    step: Any


@dataclass(eq=False)
class Sketches:
    """Takes histograms at the first step, at some that follow ever more rarely, and at the last one.

    Args:
        globs: the layers and variables that they are taken of.
        last: the number of the last step within the fit; None where that is not known.
        devices: of the replicas that run the step.
    """

    globs: tuple[str, ...]
    last: int | None
    devices: Sequence[str | None]
    pending: bool = False
    _next: int = 0
    _due: bool = False
    _wanted: list[Any] = field(init=False)
    _traces: list[list[_Trace]] = field(init=False)

    def __post_init__(self) -> None:
        self._wanted = [make_variables([((), tf.int64)], one)[0] for one in self.devices]
        self._traces = [[] for _ in self.devices]

    def due(self, step: int, count: int) -> bool:
        """Tell whether one of the steps of an execution, counted within this fit, is to be looked at."""
        ends = self.last is not None and step <= self.last < step + count
        self._due = ends or step + count > self._next
        if self._due:
            self._next = max(step + count, _GROWTH * self._next)
        return self._due

    def expect(self) -> None:
        """Have the coming execution looked at, if it is due."""
        if self._due:
            self._due, self.pending = False, True
            for wanted in self._wanted:
                wanted.assign(1)

    def write(self, chosen: Mapping[Site, Any], number: int, step: Any) -> None:
        """Add to a step what counts its values, where that is wanted.

        Args:
            chosen: the tensor of each site, of any shape and float dtype.
            number: of the replica.
            step: the step's number, int64.
        """
        kept = dict(list(chosen.items())[:_MOST])
        wanted, device = self._wanted[number], self.devices[number]
        counts, at = make_variables([((len(kept), BINS), tf.int64), ((), tf.int64)], device)
        self._traces[number].append(_Trace(tuple(kept), counts, at))

        def count() -> Any:
            counts.assign(tf.stack([counted(tensor) for tensor in kept.values()]))
            at.assign(step + 1)
            return wanted.assign(0)  # of an execution of several steps the first one is looked at

        tf.cond(wanted > 0, count, lambda: tf.identity(wanted))

    def take(self) -> Iterator[tuple[int, dict[Site, Floats]]]:
        """Yield each step that was looked at since the last time, with the counts of each site, float64[BINS]."""
        if not self.pending:
            return
        self.pending = False
        for same in zip(*self._traces, strict=False):
            steps = [int(one.step.numpy()) for one in same]
            if not min(steps):
                continue
            yield steps[0] - 1, _together(same)
            for one in same:
                one.step.assign(0)


def counted(tensor: Any) -> Any:
    """Return how many elements lie in each bin, int64[BINS]."""
    x = tf.cast(tf.reshape(tensor, [-1]), tf.float32)
    place = tf.floor((tf.math.log(tf.abs(x)) / math.log(10.0) - SMALLEST) * PER_DECADE)
    inside = tf.cast(tf.clip_by_value(place, 0.0, SIDE - 1.0), tf.int32)
    around = tf.where(x > 0, SIDE + 1 + inside, SIDE - 1 - inside)
    bins = tf.where(tf.abs(x) < 10.0**SMALLEST, SIDE, around)
    bins = tf.where(tf.math.is_finite(x), bins, FINITE)
    return tf.math.unsorted_segment_sum(tf.ones_like(bins, tf.int64), bins, BINS)


def _together(traces: Sequence[_Trace]) -> dict[Site, Floats]:
    """Return the counts of all replicas; what is the same on each is counted once."""
    counts = np.array([one.counts.numpy() for one in traces], np.float64)
    pooled = counts.sum(0)
    sites = traces[0].sites
    return {site: pooled[row] if site.kind == "activation" else counts[0, row] for row, site in enumerate(sites)}
