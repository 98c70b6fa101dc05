"""The user's train step -> the same step, compiled a second time with the probes in it, and the rows they fill."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from tfhealth.capture import outputs, sites
from tfhealth.capture.patches import installed
from tfhealth.capture.reductions import SCOPE, Context
from tfhealth.capture.rows import Layout, Measured, Ring, make_variables
from tfhealth.capture.sites import Located
from tfhealth.capture.tap import Tap
from tfhealth.plan import Plan, described
from tfhealth.series import Attribute, Floats, Ints, Probe, Site
from tfhealth.statistics import find

__all__ = ["SCOPE", "ProbedStep"]


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
            # A probe that fails while the batch is still being fetched would cancel the user's iterator with it.
            with tf.name_scope(SCOPE), tf.control_dependencies(tap.tensors(data)):
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

    def _measure(self, tap: Tap, located: Sequence[Located]) -> Measured:
        """Compute the sums of every statistic that the plan wants; one that fails is noted and left out."""
        measured = Measured()
        for one in located:
            names = self.plan.statistics(one.site.kind, described(one.site, one.attributes))
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
        sparse = isinstance(tensor, tf.IndexedSlices)
        size = float(math.prod(update.variable.shape)) if update is not None and not sparse else None
        if kind == "gradient" and tensor is not None:
            # Of sparse gradients the rows that the batch touched; a row touched twice counts as two.
            if sparse:
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

        return Context(tensor, one.attributes, state, parts, size)

    @staticmethod
    def _loss_parts(tap: Tap, attributes: dict[str, Attribute]) -> dict[str, Any]:
        data = tap.data_loss
        rest = None if data is None else tf.cast(tap.total_loss, tf.float32) - tf.cast(data, tf.float32)
        return {"total": tap.total_loss, "data": data, "regularization": rest, "chance": attributes["chance"]}

    def _state(self, site: Site, name: str, shape: tuple[int, ...]) -> Any:
        key = (site, name)
        if key not in self._states:
            (self._states[key],) = make_variables(tf.zeros_initializer(), [(shape, tf.float32)])
        return self._states[key]

    def _ring(self, layout: Layout) -> Ring:
        key = (layout.columns, tuple(layout.constants.items()))
        if key not in self._rings:
            shapes = [((self.capacity, 2 + len(layout.columns)), tf.float32), ((), tf.int32)]
            self._rings[key] = Ring(layout, *make_variables(tf.zeros_initializer(), shapes))
        return self._rings[key]
