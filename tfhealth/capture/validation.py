"""Keras's evaluations within a fit -> probed test steps, and one row for each pass over the validation data."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tfhealth.capture import sites
from tfhealth.capture.parts import Contexts
from tfhealth.capture.pooling import pooled
from tfhealth.capture.probes import Drained, Probes
from tfhealth.capture.reductions import CUMULATIVE
from tfhealth.capture.replica import Replica
from tfhealth.capture.rows import Layout
from tfhealth.capture.sites import Located
from tfhealth.capture.standin import StandIn, stand_in
from tfhealth.capture.step import ProbedStep
from tfhealth.capture.tap import Tap
from tfhealth.plan import Plan
from tfhealth.series import Floats, Site

__all__ = ["Validation", "ValidationProbes", "asked_for"]

_OF_DATA = ("input", "label", "prediction")
_FIRST_PASS, _LATER = 1.1, 2.0  # what is probed: batches that are this much further than the last one


def asked_for(plan: Plan) -> bool:
    """Tell whether any rule reads what only validation batches show."""
    return any(kind.startswith("validation_") for kind, _, _ in plan.requests)


@dataclass(eq=False)
class ValidationProbes(Probes):
    """What is measured in a test step: inputs, labels and predictions.

    Args:
        training: the probes of the train step, which know what training has seen.
    """

    training: Probes = field(kw_only=True)
    _kept: dict[int, tuple[Layout, list[Floats]]] = field(default_factory=dict)

    @classmethod
    def beside(cls, training: Probes) -> ValidationProbes:
        """Return probes of a test step with the same plan as those of the train step."""

        def note(subject: str, why: str) -> None:
            training.note(f"validation {subject}", why)

        same = (training.model, training.strategy, training.plan, 0, note, training.failed, training.seen)
        return cls(*same, training.capacity, thinned=False, training=training)

    def located(self, tap: Tap) -> list[Located]:
        """Return the sites of the data, under names of their own."""
        found = [one for one in sites.locate(tap, self.model) if one.site.kind in _OF_DATA]
        return [replace(one, site=Site(f"validation_{one.site.kind}", one.site.name)) for one in found]

    def contexts(self, tap: Tap, located: Sequence[Located], replica: Replica) -> Contexts:
        """Return what sums are computed from, with the states of the same replica's training."""
        other = self.training.replicas[self.replicas.index(replica)]
        return replace(super().contexts(tap, located, replica), training=other.state)

    def begin(self) -> None:
        """Forget the pass before."""
        self._kept.clear()
        for replica in self.replicas:
            replica.forget()

    def collect(self) -> None:
        """Bring the rows of the pass so far to the host."""
        for layout, _, rows in self.written():
            kept = self._kept.setdefault(id(layout), (layout, []))[1]
            kept.append(rows.transpose(1, 0, 2).reshape(-1, rows.shape[-1]))

    def end(self, step: int) -> Drained:
        """Return one row for the pass: batches add up as replicas do."""
        self.collect()
        found: Drained = []
        for layout, kept in self._kept.values():
            rows = np.concatenate(kept)
            whole = pooled(layout, rows[:, None])
            last = pooled(layout, rows[-len(self.replicas) :, None])
            for index, (_, name) in enumerate(layout.columns):
                if name in CUMULATIVE:
                    whole[:, index] = last[:, index]
            found.append((layout, np.array([step]), layout.finish(whole)))
        return found


@dataclass(eq=False)
class Validation:
    """Probes some batches of each evaluation of one fit.

    Args:
        model: the compiled model; nothing is left on it.
        probes: what is measured.
        exact: whether statistics are taken in a second pass.
        failed: called with (subject, error) when probing is given up.
        ended: called when a pass has ended, with what returns its rows, given the optimizer steps taken before it.
    """

    model: Any
    probes: ValidationProbes
    exact: bool
    failed: Callable[[str, BaseException], None]
    ended: Callable[[Callable[[int], Drained]], None]
    _probed: ProbedStep | None = field(init=False)
    _next: int = 0
    _growth: float = _FIRST_PASS

    def __post_init__(self) -> None:
        self._probed = ProbedStep(self.model, self.probes, "test")
        self._count = int(self.model.steps_per_execution)

    def begin(self) -> None:
        """Begin a pass over the validation data."""
        self._next = 0
        self.probes.begin()

    def batch_begin(self, batch: int) -> None:
        """Let the execution that begins be probed where it is due: the first ones, then ever fewer."""
        if self._probed is None or batch < self._next or isinstance(self.model.test_function, StandIn):
            return
        self._next = max(batch + 1, math.ceil(batch * self._growth))
        if self.probes.free < self._count:
            self.probes.collect()
        own = self.model.test_function
        stand_in(self.model, "test_function", StandIn(self._dispatcher(own, batch), own))

    def _dispatcher(self, own: Any, batch: int) -> Callable[[Any], Any]:
        """Return a test function for one execution; the first thing it does is to put Keras's own back."""

        def test_function(iterator: Any) -> Any:
            stand_in(self.model, "test_function", own)
            if self._probed is None:
                return own(iterator)
            run = self._probed.beforehand if self.exact else self._probed.instead
            # Rows are told apart by a number: here the number of the batch, for training that of the step.
            return run(own, iterator, batch, self._count, self._give_up)

        return test_function

    def _give_up(self, error: BaseException) -> None:
        self._probed = None
        self.failed("validation", error)

    def end(self) -> None:
        """Hand on what the pass showed."""
        self._growth = _LATER
        if self._probed is not None:
            self.ended(self.probes.end)
