"""The user's train step -> the same step, compiled a second time with the probes in it, and the rows they fill."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from tfhealth.capture import outputs, sites
from tfhealth.capture.patches import installed
from tfhealth.capture.reductions import PART_OF, REDUCTIONS, Context
from tfhealth.capture.sites import Located
from tfhealth.capture.tap import Tap
from tfhealth.plan import Plan
from tfhealth.series import Attribute, Floats, Ints, Probe, Site
from tfhealth.statistics import SUMS, Statistic, find

__all__ = ["Layout", "ProbedStep"]

SCOPE = "tfhealth_probes"


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
class _Measured:
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
            if SUMS[name].first_only:
                self.first_only[site, name] = context
            elif name == "count" and context.fixed:
                self.constants[site, name] = float(context.tensor.shape.num_elements())
            elif (site, name) not in self.sums:
                self.sums[site, name] = REDUCTIONS[name](context)
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
        self.rows[place].assign(tf.concat([parts, sums], 0))
        self.used.assign_add(1)

    def drain(self) -> tuple[Ints, Floats]:
        """Return steps int64[n] and sums float64[n, columns], and start again from no rows."""
        used = min(int(self.used.numpy()), self.rows.shape[0])
        rows = self.rows.numpy()[:used].astype(np.float64)
        self.used.assign(0)
        steps = rows[:, 0].astype(np.int64) * _SPLIT + rows[:, 1].astype(np.int64)
        return steps, rows[:, 2:]


_SPLIT = 1 << 20


@dataclass(eq=False)
class ProbedStep:
    """The second train function of a model.

    Args:
        model: a compiled model; nothing is left on it.
        plan: what to probe.
        first_step: optimizer steps taken before this fit.
        note: called with (subject, why) for what this training has no such thing of.
        failed: called with (subject, error) for a probe that raised; the step goes on without it.
        seen: called with the sites of each new trace.
        capacity: rows that fit on the device between two drains, at least one execution's steps.
    """

    model: Any
    plan: Plan
    first_step: int
    note: Callable[[str, str], None]
    failed: Callable[[str, Exception], None]
    seen: Callable[[Sequence[Located]], None]
    capacity: int = 64
    _expected: int = -1
    _pending: int = 0
    _rings: dict[tuple[Any, ...], Ring] = field(default_factory=dict)
    _states: dict[tuple[Site, str], Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with self.model.distribute_strategy.scope():
            self._counter = tf.Variable(self.first_step, dtype=tf.int64, trainable=False, name="tfhealth_step")
        self._step = self.model.train_step
        self._function = self._compiled()

    def _compiled(self) -> Any:
        """Make Keras compile `_probed` the way it compiles `train_step`, then put everything back."""
        model = self.model
        own_function, shadowed = model.train_function, vars(model).get("train_step")
        try:
            model.train_step = self._probed
            model.make_train_function(force=True)
            return model.train_function
        finally:
            if shadowed is None:
                del model.train_step
            else:
                model.train_step = shadowed
            model.train_function = own_function

    def run(self, iterator: Any, step: int, count: int = 1) -> Any:
        """Run one execution, of `count` steps at most, of the probed step; `step` steps were taken before it."""
        if step != self._expected:
            self._counter.assign(step)
        self._expected = step + count
        self._pending += count
        return self._function(iterator)

    def drain(self) -> list[tuple[Layout, Ints, Floats]]:
        """Return what was written since the last drain: (layout, steps int64[n], statistics float64[n, P])."""
        drained = []
        for ring in self._rings.values():
            steps, sums = ring.drain()
            if len(steps):
                drained.append((ring.layout, steps, ring.layout.finish(sums)))
        self._pending = 0
        self._expected = -1  # an execution at the end of the data takes fewer steps than it was given
        return drained

    @property
    def free(self) -> int:
        """Rows that may still be written before a drain is due."""
        return self.capacity - self._pending

    def _probed(self, data: Any) -> Any:
        tap = Tap()
        with installed(self.model), tap.listening():
            logs = self._step(data)
        try:
            with tf.name_scope(SCOPE):
                self._write(tap)
        except Exception as error:  # the user's step is whole; ours is given up
            self.failed("probes", error)
        return logs

    def _write(self, tap: Tap) -> None:
        for subject, error in tap.errors:
            self.failed(subject, error)
        located = sites.locate(tap, self.model)
        located += self._loss(tap, located)
        measured = self._measure(tap, located)
        if not measured.wanted:
            self.note("probes", "no rule asks for anything that this step shows")
            return
        self.seen(located)
        ring = self._ring(Layout(measured.names(), measured.constants, tuple(measured.wanted)))
        ring.write(self._counter.value(), measured.row(tf.equal(self._counter, self.first_step), self.failed))
        self._counter.assign_add(1)

    def _loss(self, tap: Tap, located: Sequence[Located]) -> list[Located]:
        """Return the loss site; its sums are the parts of the loss, not reductions of a tensor."""
        if tap.total_loss is None:
            self.note("loss", "the train step does not call compute_loss")
            return []
        weighted = tap.sample_weight is not None
        found = [(one.site, one.attributes) for one in located if one.site.kind == "prediction"]
        guess, why = outputs.chance(found, weighted)
        if guess is None:
            self.note("loss.chance", why)
        attributes: dict[str, Attribute] = {"weighted": weighted, "chance": guess, "position": 0}
        return [Located(outputs.LOSS_SITE, tap.total_loss, attributes)]

    def _measure(self, tap: Tap, located: Sequence[Located]) -> _Measured:
        """Compute the sums of every statistic that the plan wants; one that fails is noted and left out."""
        measured = _Measured()
        for one in located:
            names = self.plan.statistics(one.site.kind, one.attributes)
            try:
                context = self._context(one, tap) if names else None
            except Exception as error:
                self.failed(str(one.site), error)
                continue
            if context is None:
                continue
            for name in names:
                try:
                    measured.add(Probe(one.site, name), find(one.site.kind, name), context)
                except Exception as error:
                    self.failed(f"{one.site}.{name}", error)
        return measured

    def _context(self, one: Located, tap: Tap) -> Context | None:
        """Return what a site's sums are computed from; None where the step has no tensor there."""
        kind, tensor, update = one.site.kind, one.tensor, one.update
        parts: dict[str, Any] = {}
        fixed = update is not None and not isinstance(tensor, tf.IndexedSlices)
        if kind == "gradient" and tensor is not None:
            # Of sparse gradients the rows that the batch touched; a row touched twice counts as two.
            if isinstance(tensor, tf.IndexedSlices):
                tensor = tensor.values
            if update is not None and update.scale is not None:
                tensor = tf.cast(tensor, tf.float32) / tf.cast(update.scale, tf.float32)
        elif kind == "update" and update is not None:
            tensor = update.after - update.before
        elif kind == "loss":
            parts = self._loss_parts(tap, one.attributes)
        elif kind == "label":
            parts = {"classes": one.attributes["classes"]}
        if tensor is None or not (tensor.dtype.is_floating or tensor.dtype.is_integer or tensor.dtype.is_bool):
            return None

        def state(name: str, shape: tuple[int, ...]) -> Any:
            return self._state(one.site, name, shape)

        return Context(tensor, one.attributes, state, parts, fixed)

    @staticmethod
    def _loss_parts(tap: Tap, attributes: dict[str, Attribute]) -> dict[str, Any]:
        data = tap.data_loss
        rest = None if data is None else tf.cast(tap.total_loss, tf.float32) - tf.cast(data, tf.float32)
        return {"total": tap.total_loss, "data": data, "regularization": rest, "chance": attributes["chance"]}

    def _state(self, site: Site, name: str, shape: tuple[int, ...]) -> Any:
        key = (site, name)
        if key not in self._states:
            (self._states[key],) = _variables(tf.zeros_initializer(), [(shape, tf.float32)])
        return self._states[key]

    def _ring(self, layout: Layout) -> Ring:
        key = (layout.columns, tuple(layout.constants.items()))
        if key not in self._rings:
            shapes = [((self.capacity, 2 + len(layout.columns)), tf.float32), ((), tf.int32)]
            self._rings[key] = Ring(layout, *_variables(tf.zeros_initializer(), shapes))
        return self._rings[key]


def _variables(initializer: Any, shapes: Sequence[tuple[tuple[int, ...], Any]]) -> list[Any]:
    """Make variables in the middle of a trace: in a thread of its own, which has no tf.function around it."""
    made: list[Any] = []

    def make() -> None:
        made.extend(tf.Variable(initializer(shape, dtype), trainable=False) for shape, dtype in shapes)

    thread = threading.Thread(target=make, name="tfhealth-variables")
    thread.start()
    thread.join()
    return made
