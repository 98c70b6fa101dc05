"""What one trace measures -> rows of numbers on the device, and the statistics that the host makes of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from tfhealth.capture.reductions import PART_OF, REDUCTIONS, Context, reduced
from tfhealth.series import Floats, Ints, Probe, Site
from tfhealth.statistics import SUMS, Statistic

__all__ = ["Layout", "Measured", "Ring", "make_variables"]

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
    """The sums of one trace: those of every step, and those of the first step only."""

    sums: dict[tuple[Site, str], Any] = field(default_factory=dict)
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
            elif (site, name) not in self.sums:
                self.sums[site, name] = reduced(one, context)
        self.wanted.append((probe, statistic))

    def names(self) -> tuple[tuple[Site, str], ...]:
        """Return the columns of the row."""
        return (*self.sums, *self.first_only)

    def row(self, first: Any, failed: Callable[[str, Exception], None]) -> Any:
        """Return the row, float32 [columns]; what is for the first step only is NaN where `first` is False."""
        now = list(self.sums.values())
        if not self.first_only:
            return tf.stack(now)

        def compute() -> Any:
            return tf.stack([_or_nan(site, name, context, failed) for (site, name), context in self.first_only.items()])

        # One branch for all of them: at every other step they cost one comparison.
        rest = tf.cond(first, compute, lambda: tf.fill([len(self.first_only)], float("nan")))
        return tf.concat([tf.stack(now), rest], 0) if now else rest


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
        return steps, rows[:, 2:]


def make_variables(shapes: Sequence[tuple[tuple[int, ...], Any]], device: str | None = None) -> list[Any]:
    """Make variables of zeros in the middle of a trace, and of a strategy's scope.

    In a thread of its own, which has neither around it: a variable that a strategy makes on several workers would wait
    for the other workers to make theirs.
    """
    made: list[Any] = []

    def make() -> None:
        with tf.device(device):
            made.extend(tf.Variable(tf.zeros(shape, dtype), trainable=False) for shape, dtype in shapes)

    thread = threading.Thread(target=make, name="tfhealth-variables")
    thread.start()
    thread.join()
    return made
