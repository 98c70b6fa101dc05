"""Rows of sums that a step writes on the device -> statistics that the host makes of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from tfhealth.capture.reductions import HALVED
from tfhealth.series import Floats, Ints, Probe, Site
from tfhealth.statistics import Statistic

__all__ = ["Layout", "Ring", "make_variables", "outside", "stamp"]

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


def stamp(step: Any) -> Any:
    """Return the number of a step, int64 scalar, as a row has it, float32 [2]: float32 holds both parts exactly."""
    return tf.cast(tf.stack([step // _SPLIT, step % _SPLIT]), tf.float32)


@dataclass(eq=False)
class Ring:
    """Rows on the device: written by the step, read by the host once per flush.

    Attributes:
        layout: what the rows hold.
        rows: float32 variable [capacity, 2 + columns]; the step, as of `stamp`, comes first.
        used: int32 variable, the number of rows written.
    """

    layout: Layout
    rows: Any
    used: Any

    def write(self, step: Any, sums: Any) -> None:
        """Append one row: step float32 [2] as of `stamp`, sums float32 [columns]."""
        place = tf.minimum(self.used, self.rows.shape[0] - 1)
        # Not `rows[place].assign`: XLA would compile the step again for every place.
        self.rows.scatter_nd_update([[place]], [tf.concat([step, sums], 0)])
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
