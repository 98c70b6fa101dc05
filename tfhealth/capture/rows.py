"""What one trace measures -> rows of numbers on the device, and the statistics that the host makes of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from tfhealth.capture.reductions import HALVED, PART_OF, REDUCTIONS, TOGETHER, Context, reduced
from tfhealth.series import Floats, Ints, Probe, Site
from tfhealth.statistics import SUMS, Statistic, Sum

__all__ = ["Layout", "Measured", "Ring", "make_variables", "outside"]

T = TypeVar("T")

_SPLIT = 1 << 20


@dataclass(frozen=True, eq=False)
class Layout:
    """What one trace of the probed step measures.

    Attributes:
        columns: (site, sum) for each number that crosses to the host.
        constants: (site, sum) -> number, for those known while tracing.
        wanted: the probes and the statistics that finish them.
    """

    columns: tuple[tuple[Site, str], ...]
    constants: dict[tuple[Site, str], float]
    wanted: tuple[tuple[Probe, Statistic], ...]

    @property
    def factors(self) -> Floats:
        """What to multiply the numbers that crossed by, float64[columns]."""
        return np.array([2.0 if name in HALVED else 1.0 for _, name in self.columns])

    @property
    def probes(self) -> tuple[Probe, ...]:
        """The probes, in the order in which `finish` returns them."""
        return tuple(probe for probe, _ in self.wanted)

    def finish(self, rows: Floats) -> Floats:
        """Turn sums float64[n, columns] into statistics float64[n, probes]."""
        place = {column: index for index, column in enumerate(self.columns)}
        finished = np.full((len(rows), len(self.wanted)), np.nan)
        with np.errstate(all="ignore"):
            for index, (probe, statistic) in enumerate(self.wanted):
                sums = {
                    name: rows[:, place[probe.site, name]]
                    if (probe.site, name) in place
                    else np.full(len(rows), self.constants[probe.site, name])
                    for name in statistic.sums
                }
                finished[:, index] = statistic.finish(sums)
        return finished


@dataclass(eq=False)
class Measured:
    """The sums of one trace.

    Attributes:
        sums: (site, sum) -> scalar, float32 or int32, of every step.
        together: sum -> {site: context}, of those computed for all sites at once.
        first_only: (site, sum) -> context, of the first step only.
        constants: (site, sum) -> number, of those known while tracing.
        wanted: the probes and the statistics that finish them.
    """

    sums: dict[tuple[Site, str], Any] = field(default_factory=dict)
    together: dict[str, dict[Site, Context]] = field(default_factory=dict)
    first_only: dict[tuple[Site, str], Context] = field(default_factory=dict)
    constants: dict[tuple[Site, str], float] = field(default_factory=dict)
    wanted: list[tuple[Probe, Statistic]] = field(default_factory=list)

    def add(self, probe: Probe, statistic: Statistic, context: Context) -> None:
        """Compute what a statistic needs and no other has computed; leave it out where its tensor has no such part."""
        site = probe.site
        needed = [PART_OF[name] for name in statistic.sums if name in PART_OF]
        if any(context.parts.get(part) is None for part in needed):
            return
        for name in statistic.sums:
            one = statistic.own or SUMS[name]
            if one.first_only:
                self.first_only[site, name] = context
            elif name == "count" and context.fixed_size is not None:
                self.constants[site, name] = context.fixed_size
            elif name in TOGETHER:
                self.together.setdefault(name, {})[site] = context
            elif (site, name) not in self.sums and (site, name) not in self.constants:
                self._compute(site, one, context)
        self.wanted.append((probe, statistic))

    def _compute(self, site: Site, one: Sum, context: Context) -> None:
        value = reduced(one, context)
        if isinstance(value, float):
            self.constants[site, one.name] = value
        else:
            self.sums[site, one.name] = value

    def _of(self, whole: bool) -> dict[tuple[Site, str], Any]:
        """Return the sums that are whole numbers, or those that are not."""
        return {column: value for column, value in self.sums.items() if value.dtype.is_integer == whole}

    def names(self) -> tuple[tuple[Site, str], ...]:
        """Return the columns of the row."""
        together = [(site, name) for name, contexts in self.together.items() for site in contexts]
        return (*self._of(whole=False), *self._of(whole=True), *together, *self.first_only)

    def row(self, first: Any, failed: Callable[[str, Exception], None]) -> Any:
        """Return the row, float32 [columns]; what is for the first step only is NaN where `first` is False."""
        parts = [tf.stack(list(now.values())) for now in (self._of(whole=False), self._of(whole=True)) if now]
        parts += [_together(name, contexts, failed) for name, contexts in self.together.items()]
        if self.first_only:
            # One branch for all of them: at every other step they cost one comparison.
            parts.append(tf.cond(first, lambda: self._first(failed), lambda: _nan(len(self.first_only))))
        return tf.concat([tf.cast(part, tf.float32) for part in parts], 0) if parts else _nan(0)

    def _first(self, failed: Callable[[str, Exception], None]) -> Any:
        """Return what is for the first step only, float32 [n]."""
        return tf.stack([_or_nan(site, name, context, failed) for (site, name), context in self.first_only.items()])


def _together(name: str, contexts: Mapping[Site, Context], failed: Callable[[str, Exception], None]) -> Any:
    """Return a sum of several sites, float32 [sites]; one by one where all at once does not work."""
    try:
        return TOGETHER[name](list(contexts.values()))
    except Exception:
        return tf.stack([_or_nan(site, name, context, failed) for site, context in contexts.items()])


def _nan(count: int) -> Any:
    return tf.fill([count], float("nan"))


def _or_nan(site: Site, name: str, context: Context, failed: Callable[[str, Exception], None]) -> Any:
    try:
        return REDUCTIONS[name](context)
    except Exception as error:
        failed(f"{site}.{name}", error)
        return tf.constant(float("nan"))


@dataclass(eq=False)
class Ring:
    """Rows on the device: written by the step, read by the host once per flush.

    Attributes:
        layout: what the rows hold.
        rows: float32 variable [capacity, 2 + columns]; the step, in two parts that float32 holds exactly, comes first.
        used: int32 variable, the number of rows written.
    """

    layout: Layout
    rows: Any
    used: Any

    def write(self, step: Any, sums: Any) -> None:
        """Append one row: step int64 scalar, sums float32 [columns]."""
        parts = tf.cast(tf.stack([step // _SPLIT, step % _SPLIT]), tf.float32)
        place = tf.minimum(self.used, self.rows.shape[0] - 1)
        # Not `rows[place].assign`: XLA would compile the step again for every place.
        self.rows.scatter_nd_update([[place]], [tf.concat([parts, sums], 0)])
        with tf.control_dependencies([sums]):  # a step that finds no more data must not leave an empty row
            self.used.assign_add(1)

    def drain(self) -> tuple[Ints, Floats]:
        """Return steps int64[n] and sums float64[n, columns], and start again from no rows."""
        used = min(int(self.used.numpy()), self.rows.shape[0])
        rows = self.rows.numpy()[:used].astype(np.float64)
        self.used.assign(0)
        steps = rows[:, 0].astype(np.int64) * _SPLIT + rows[:, 1].astype(np.int64)
        return steps, rows[:, 2:] * self.layout.factors


def make_variables(shapes: Sequence[tuple[tuple[int, ...], Any]], device: str | None = None) -> list[Any]:
    """Make variables of zeros in the middle of a trace, and of a strategy's scope."""

    def make() -> list[Any]:
        with tf.device(device):
            return [tf.Variable(tf.zeros(shape, dtype), trainable=False) for shape, dtype in shapes]

    return outside(make)


def outside(make: Callable[[], T]) -> T:
    """Call `make`, which makes variables, outside of the trace and of the strategy's scope that are around it.

    In a thread of its own, which has neither: a variable that a strategy makes on several workers would wait for the
    other workers to make theirs.
    """
    made: list[T] = []
    thread = threading.Thread(target=lambda: made.append(make()), name="tfhealth-variables")
    thread.start()
    thread.join()
    return made[0]
