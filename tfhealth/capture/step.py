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
from tfhealth.capture.reductions import PART_OF, Context, reduce
from tfhealth.capture.sites import Located
from tfhealth.capture.tap import Tap
from tfhealth.plan import Plan
from tfhealth.series import Attribute, Floats, Ints, Probe, Site
from tfhealth.statistics import Statistic, find

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
class Ring:
    """Rows on the device: written by the step, read by the host once per flush."""

    layout: Layout
    rows: Any
    steps: Any
    used: Any


@dataclass(eq=False)
class ProbedStep:
    """The second train function of a model.

    Args:
        model: a compiled model; nothing is left on it.
        plan: what to probe.
        first_step: optimizer steps taken before this fit.
        note: called with (subject, why) for whatever cannot be measured.
        seen: called with the sites of each new trace.
        capacity: rows that fit on the device between two drains, at least one execution's steps.
    """

    model: Any
    plan: Plan
    first_step: int
    note: Callable[[str, str], None]
    seen: Callable[[Sequence[Located]], None]
    capacity: int = 64
    user_failed: bool = False
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

    def run(self, iterator: Any, step: int) -> Any:
        """Run one execution of the probed step; `step` optimizer steps were taken before it."""
        self._counter.assign(step)
        with installed(self.model):
            return self._function(iterator)

    def drain(self) -> list[tuple[Layout, Ints, Floats]]:
        """Return what was written since the last drain: (layout, steps int64[n], statistics float64[n, P])."""
        drained = []
        for ring in self._rings.values():
            used = int(ring.used.numpy())
            if used:
                rows = ring.rows.numpy()[:used].astype(np.float64)
                steps = ring.steps.numpy()[:used]
                ring.used.assign(0)
                drained.append((ring.layout, steps, ring.layout.finish(rows)))
        return drained

    @property
    def free(self) -> int:
        """Rows that may still be written before a drain is due."""
        return min((self.capacity - int(ring.used.numpy()) for ring in self._rings.values()), default=self.capacity)

    def _probed(self, data: Any) -> Any:
        tap = Tap()
        try:
            with tap.listening():
                logs = self._step(data)
        except Exception:
            self.user_failed = True
            raise
        try:
            with tf.name_scope(SCOPE):
                self._write(tap)
        except Exception as error:  # the user's step is whole; ours is given up
            self.note("probes", f"{type(error).__name__}: {error}")
        return logs

    def _write(self, tap: Tap) -> None:
        for subject, why in tap.errors:
            self.note(subject, why)
        located = sites.locate(tap, self.model)
        located += self._loss(tap, located)
        columns, constants, wanted = self._measure(tap, located)
        if not wanted:
            self.note("probes", "no rule asks for anything that this step shows")
            return
        self.seen(located)
        ring = self._ring(Layout(tuple(columns), constants, tuple(wanted)))
        place = tf.minimum(ring.used, self.capacity - 1)
        ring.rows[place].assign(tf.stack(list(columns.values())))
        ring.steps[place].assign(self._counter)
        ring.used.assign_add(1)
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

    def _measure(
        self, tap: Tap, located: Sequence[Located]
    ) -> tuple[dict[tuple[Site, str], Any], dict[tuple[Site, str], float], list[tuple[Probe, Statistic]]]:
        """Compute the sums of every statistic that the plan wants; one that fails is noted and left out."""
        columns: dict[tuple[Site, str], Any] = {}
        constants: dict[tuple[Site, str], float] = {}
        wanted: list[tuple[Probe, Statistic]] = []
        first = tf.equal(self._counter, self.first_step)
        for one in located:
            context: Context | None = None
            for name in self.plan.statistics(one.site.kind, one.attributes):
                statistic = find(one.site.kind, name)
                try:
                    context = context or self._context(one, tap, first)
                    if context is None:
                        break
                    sums = {s: self._sum(s, context, constants, one.site) for s in statistic.sums}
                except _NotHere:
                    continue
                except Exception as error:
                    self.note(f"{one.site}.{name}", f"{type(error).__name__}: {error}")
                    continue
                columns |= {(one.site, s): value for s, value in sums.items() if value is not None}
                wanted.append((Probe(one.site, name), statistic))
        return columns, constants, wanted

    def _sum(self, name: str, context: Context, constants: dict[tuple[Site, str], float], site: Site) -> Any:
        """Return one sum as a scalar tensor, or None where it is a constant of the trace."""
        if name == "count" and site.kind in ("weight", "gradient", "update"):
            size = context.tensor.shape.num_elements()
            if size is not None and not context.parts.get("sparse"):
                constants[site, name] = float(size)
                return None
        part = PART_OF.get(name)
        if part is not None and context.parts.get(part) is None:
            raise _NotHere
        if name not in context.sums:
            context.sums[name] = reduce(name, context)
        return context.sums[name]

    def _context(self, one: Located, tap: Tap, first: Any) -> Context | None:
        """Return what a site's sums are computed from; None where the step has no tensor there."""
        kind, tensor, update = one.site.kind, one.tensor, one.update
        parts: dict[str, Any] = {}
        if kind == "gradient" and tensor is not None:
            # Of sparse gradients the rows that the batch touched; a row touched twice counts as two.
            if isinstance(tensor, tf.IndexedSlices):
                tensor, parts = tensor.values, {"sparse": True}
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

        return Context(tensor, one.attributes, state, first, parts)

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
            shapes = [((self.capacity, len(layout.columns)), tf.float32), ((self.capacity,), tf.int64), ((), tf.int32)]
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


class _NotHere(Exception):  # noqa: N818 - not an error: this step has no such part
    """A part of the loss that this step does not have."""
