"""The sites of every step -> the first step at which one held NaN or Inf, and how many values of each site did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from tfhealth.capture.rows import make_variables
from tfhealth.capture.sites import Located
from tfhealth.series import Site

__all__ = ["Flags", "Hit"]

_NONE = -1


@dataclass(frozen=True)
class Hit:
    """The first step that was hit.

    Attributes:
        step: optimizer steps taken before it.
        counts: values that are NaN or Inf, for every site that was looked at: layer outputs, loss, gradients, and, as
            updates, the weights that the step left behind.
    """

    step: int
    counts: dict[Site, int]

    @property
    def sites(self) -> tuple[Site, ...]:
        """The sites that were hit, in the order in which a step makes their values."""
        forward = [site for site, count in self.counts.items() if count and site.kind in ("activation", "loss")]
        backward = [site for site, count in self.counts.items() if count and site.kind == "gradient"]
        rest = [site for site, count in self.counts.items() if count and site.kind == "update"]
        return (*forward, *reversed(backward), *rest)


@dataclass(eq=False)
class Flags:
    """A flag for each site of every step; only the first step that raises one is kept on the device.

    Attributes:
        counter: int64 variable, optimizer steps taken before the one that runs.
        found: int64 variable, the counter at the first step that was hit; −1 before there is one.
    """

    counter: Any = field(init=False)
    found: Any = field(init=False)
    _trace: Any = field(init=False)
    _traces: list[tuple[tuple[Site, ...], Any]] = field(default_factory=list)
    _expected: int = -1

    def __post_init__(self) -> None:
        self.counter, self.found, self._trace = make_variables([((), tf.int64)] * 3)
        self.found.assign(_NONE)

    def expect(self, step: int, count: int) -> None:
        """Prepare for one execution, of `count` steps at most; `step` steps were taken before it."""
        if step != self._expected:
            self.counter.assign(step)
        self._expected = step + count

    def write(self, located: Sequence[Located]) -> None:
        """Look at the sites of the step that is traced, or that runs eagerly."""
        watched = [(one.site, tensor) for one in located if (tensor := _tensor(one)) is not None]
        if not watched:
            return
        # A sum is finite if all its terms are, or overflows: only then are the values themselves looked at.
        sums = tf.stack([tf.cast(tf.reduce_sum(_single(tensor)), tf.float32) for _, tensor in watched])
        counts = tf.cond(
            tf.reduce_all(tf.math.is_finite(sums)),
            lambda: tf.zeros([len(watched)]),
            lambda: tf.stack([_count(tensor) for _, tensor in watched]),
        )
        number, row = self._row(tuple(site for site, _ in watched))
        first = tf.logical_and(tf.reduce_any(counts > 0), self.found < 0)
        row.assign(tf.where(first, counts, row))
        self._trace.assign(tf.where(first, number, self._trace))
        self.found.assign(tf.where(first, self.counter, self.found))
        self.counter.assign_add(1)

    def _row(self, sites: tuple[Site, ...]) -> tuple[Any, Any]:
        """Return the number of the trace that looks at these sites, and its variable, float32 [sites]."""
        known = [one for one, _ in self._traces]
        if sites not in known:
            self._traces.append((sites, *make_variables([((len(sites),), tf.float32)])))
        number = [one for one, _ in self._traces].index(sites)
        return tf.constant(number, tf.int64), self._traces[number][1]

    def hit(self) -> Hit | None:
        """Return the first step that was hit, or None; waits for the device."""
        step = int(self.found.numpy())
        if step == _NONE:
            return None
        sites, row = self._traces[int(self._trace.numpy())]
        return Hit(step, {site: int(count) for site, count in zip(sites, row.numpy(), strict=True)})


def _tensor(one: Located) -> Any:
    """Return what to look at: of a weight its value after the step; None for what belongs to no flag."""
    if one.site.kind == "update":
        assert one.update is not None
        return one.update.after
    if one.site.kind == "gradient" and one.attributes["scaled"]:
        return None  # a dynamic loss scale makes them overflow now and then, and skips that step
    if one.site.kind not in ("activation", "loss", "gradient"):
        return None
    tensor = one.tensor.values if isinstance(one.tensor, tf.IndexedSlices) else one.tensor
    return tensor if tensor is not None and tensor.dtype.is_floating else None


def _single(tensor: Any) -> Any:
    return tensor if tensor.dtype in (tf.float32, tf.float64) else tf.cast(tensor, tf.float32)


def _count(tensor: Any) -> Any:
    return tf.reduce_sum(tf.cast(~tf.math.is_finite(tensor), tf.float32))
