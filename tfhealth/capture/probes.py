"""A tapped step -> one row of numbers on each replica's device, and the statistics that the host makes of the rows."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfhealth.capture import losses, rates, sites
from tfhealth.capture.branch import call_if
from tfhealth.capture.extras import Extras
from tfhealth.capture.idle import idle_dropouts
from tfhealth.capture.measured import Measured, Wanting
from tfhealth.capture.nonfinite import Flags
from tfhealth.capture.parts import Contexts
from tfhealth.capture.patches import installed
from tfhealth.capture.pooling import apart, pooled
from tfhealth.capture.reductions import SCOPE
from tfhealth.capture.replica import Replica, Rhythm, replicas_of
from tfhealth.capture.rows import Layout, stamp
from tfhealth.capture.sites import Located
from tfhealth.capture.tap import Tap
from tfhealth.plan import Plan
from tfhealth.series import Floats, Ints

__all__ = ["Probes"]

Drained = list[tuple[Layout, Ints, Floats]]


@dataclass(eq=False)
class Probes:
    """What is measured in a probed step of a model, whoever compiles the step.

    Args:
        model: the model that is trained; nothing is left on it.
        strategy: the distribution strategy under which its steps run.
        plan: what to probe.
        first_step: optimizer steps taken before the first one that is watched.
        note: called with (subject, why) for what this training has no such thing of.
        failed: called with (subject, error) for a probe that raised; the step goes on without it.
        seen: called with the sites of each new trace.
        capacity: rows that fit on the device between two drains, at least one execution's steps.
        flags: looks for NaN and Inf in every step; None: nothing does.
        extras: keeps what was asked for beside the statistics; None: nothing was.
        thinned: whether statistics that change slowly are left out of most steps.
        separate: whether steps with these and steps without are compiled apart, for executions of one step each.

    Attributes:
        whole: whether the execution that is expected, or traced, is probed for every statistic; None: each step of it
            finds out on the device.
    """

    model: Any
    strategy: Any
    plan: Plan
    first_step: int
    note: Callable[[str, str], None]
    failed: Callable[[str, Exception], None]
    seen: Callable[[Sequence[Located]], None]
    capacity: int = 64
    flags: Flags | None = None
    extras: Extras | None = None
    thinned: bool = True
    separate: bool = False
    whole: bool | None = field(init=False, default=None)
    _expected: int = -1
    _pending: int = 0
    _apart: bool = False
    replicas: list[Replica] = field(init=False)

    def __post_init__(self) -> None:
        self.replicas = replicas_of(self.strategy, self.first_step, self.capacity)
        self._rhythm = Rhythm(self.first_step)

    def expect(self, step: int, count: int) -> None:
        """Prepare for one execution, of `count` steps at most; `step` steps were taken before it."""
        if step != self._expected:
            for replica in self.replicas:
                # Of a plain constant, and not read back: this is waited for before a probed step.
                replica.counter.assign(tf.constant(step, tf.int64), read_value=False)
        self._expected = step + count
        self._pending += count
        if self.separate:
            self.whole = self._rhythm.whole(step)
        if self.flags is not None:
            self.flags.expect(step, count)
        if self.extras is not None:
            self.extras.expect()

    def wanted(self, step: int, count: int, due: bool) -> bool:
        """Tell whether an execution, its steps counted within this fit, is probed; `due` is what the schedule says."""
        return (self.extras is not None and self.extras.due(step, count)) or due

    @property
    def free(self) -> int:
        """Rows that may still be written before a drain is due."""
        return 0 if self.extras and self.extras.pending else self.capacity - self._pending

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator] # TensorFlow is untyped
    @contextmanager
    def tapped(self, data: Any) -> Iterator[None]:
        """Listen while a step runs on `data`, any structure of tensors, in the block, and write what it showed."""
        tap = Tap(self._replica)
        with installed(self.model), tap.listening():
            yield
        if tap.handed_out:
            return
        try:
            if isinstance(self.model, keras.Model):
                tap.own_step(self.model, data)
            with tf.name_scope(SCOPE):
                self._write(tap, tap.tensors(data))
        except Exception as error:  # the user's step is whole; ours is given up
            self.failed("probes", error)

    def _replica(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Tap what a step hands to its replicas: a hand-written one does that itself, Keras does it around the step."""

        def replica(*args: Any, **kwargs: Any) -> Any:
            with self.tapped((args, kwargs)):
                result = function(*args, **kwargs)
                self.model.returned(result)
            return result

        return replica

    def _write(self, tap: Tap, batch: Sequence[Any]) -> None:
        """Write what a step showed.

        Args:
            tap: what listened.
            batch: the step's data. What has an effect waits for it, since at the end of the data there is none, and so
                does what may fail, which would cancel the user's iterator. If all of it did, nothing would be folded
                into constants.
        """
        for subject, error in tap.errors:
            self.failed(subject, error)
        located = self.located(tap)
        if self.flags is not None:
            self.seen(located)
            with tf.control_dependencies(batch):
                self.flags.write(located)
            if not self.plan.requests:
                return
        replica = self._here()
        contexts = self.contexts(tap, located, replica)
        if self.extras is not None:
            with tf.control_dependencies(batch):
                self.extras.count(located, contexts.tensor, self.replicas, replica)
        self._write_rows(located, contexts, replica, batch)

    def _write_rows(
        self, located: Sequence[Located], contexts: Contexts, replica: Replica, batch: Sequence[Any]
    ) -> None:
        """Write a row of what is taken in every probed step, and now and then all that is taken seldom."""
        wanted = Wanting(self.plan, self.thinned, located, replica.state, self.failed)
        often = wanted.measured(contexts, batch, seldom=False)
        if not (often.wanted or wanted.any_seldom):
            self.note("probes", "no rule asks for anything that this step shows")
            if self.extras is None:
                return
        self.seen(located)
        step = stamp(replica.counter)
        with tf.control_dependencies(batch):
            self._write_row(often, step, replica)
            if self.whole:
                seldom = wanted.measured(contexts, batch, seldom=True, known=often.sums)
                self._write_seldom(seldom, step, located, replica)
            elif self.whole is None and (wanted.any_seldom or self.extras is not None):

                def act() -> None:
                    # Computed there from the step's own tensors: what enters a branch is kept in memory for it.
                    measured = wanted.measured(contexts.anew(), (), seldom=True, known=often.sums)
                    self._write_seldom(measured, step, located, replica)
                    replica.was_whole()

                call_if(replica.whole(), act)
            replica.counter.assign_add(1)

    def _write_seldom(self, measured: Measured, step: Any, located: Sequence[Located], replica: Replica) -> None:
        self._write_row(measured, step, replica)
        if self.extras is not None:
            self.extras.write(located, self.replicas, replica)

    def _write_row(self, measured: Measured, step: Any, replica: Replica) -> None:
        if measured.wanted:
            row = measured.row(lambda: tf.equal(replica.counter, self.first_step), self.failed)
            replica.ring(measured.layout).write(step, row)

    def located(self, tap: Tap) -> list[Located]:
        """Return the sites that a step showed."""
        if not tap.updates:
            for subject in ("gradient", "update"):
                self.note(subject, "the train step hands no variable to an optimizer")
        for subject, why in sites.untapped(tap):
            self.note(subject, why)
        found = sites.locate(tap, self.model)
        found += losses.locate(tap, self.model, found, self.note)
        return [*found, *rates.locate(tap, self.note), idle_dropouts(tap, self.model)]

    def contexts(self, tap: Tap, located: Sequence[Located], replica: Replica) -> Contexts:
        """Return what the sums of a step are computed from."""
        return Contexts(tap, located, self.strategy.num_replicas_in_sync, self.note)

    def _here(self) -> Replica:
        """Return the replica that runs; each is traced by itself."""
        if len(self.replicas) == 1:
            return self.replicas[0]
        number = tf.get_static_value(tf.distribute.get_replica_context().replica_id_in_sync_group)
        return self.replicas[int(number) % len(self.replicas)]

    def drain(self, ended: bool = False) -> Drained:
        """Return what was written since the last drain: (layout, steps int64[n], statistics float64[n, P]).

        Args:
            ended: whether this is the last time, at which all that is kept beside statistics is recorded too.
        """
        drained = []
        if self.extras is not None:
            self.extras.drain(ended)
        for layout, steps, rows in self.written():
            self._compare(layout, steps, rows)
            drained.append((layout, steps, layout.finish(pooled(layout, rows))))
        return drained

    def written(self) -> Iterator[tuple[Layout, Ints, Floats]]:
        """Yield what the replicas wrote since the last time: (layout, steps int64[n], sums float64[R, n, columns])."""
        self._pending = 0
        self._expected = -1  # an execution at the end of the data takes fewer steps than it was given
        for key, ring in self.replicas[0].rings.items():
            written = [one.rings[key].drain() for one in self.replicas if key in one.rings]
            if len(written) < len(self.replicas):
                self.note("probes", "the replicas do not show the same sites")
                continue
            steps, rows = _aligned(written)
            if len(steps):
                yield ring.layout, steps, rows

    def _compare(self, layout: Layout, steps: Ints, rows: Floats) -> None:
        """Say once where replicas do not hold the same weights."""
        differ = apart(layout, rows)
        if differ.any() and not self._apart:
            self._apart = True
            names = [layout.columns[index][0].name for index in np.flatnonzero(differ.any(0))]
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            step = int(steps[differ.any(1)][0])
            self.note("replicas", f"after {step} steps they do not hold the same weights: {names[0]}{more}")


def _aligned(written: Sequence[tuple[Ints, Floats]]) -> tuple[Ints, Floats]:
    """Return the steps that all replicas wrote, int64[n], and their rows there, float64[R, n, columns]."""
    if len(written) == 1:
        return written[0][0], written[0][1][None]
    steps = functools.reduce(np.intersect1d, [own for own, _ in written])
    return steps, np.stack([rows[np.searchsorted(own, steps)] for own, rows in written])
