"""One fit: Keras's hooks -> probed steps on a schedule -> rows in a Recorder."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfhealth.capture import catch, exact, facts
from tfhealth.capture.extras import Asked
from tfhealth.capture.journal import HealthWarning, Journal
from tfhealth.capture.known import Known
from tfhealth.capture.probes import Drained
from tfhealth.capture.probing import of_testing, of_training
from tfhealth.capture.resources import Resources
from tfhealth.capture.schedule import Schedule
from tfhealth.capture.standin import StandIn, put_back, stand_in
from tfhealth.capture.step import ProbedStep
from tfhealth.capture.told import Facts
from tfhealth.capture.validation import Validation
from tfhealth.plan import Plan
from tfhealth.recorder import Recorder

__all__ = ["HealthWarning", "Session"]

_FLUSH_SECONDS = 0.5
_WRITING_SHARE = 0.02  # of the time since the last flush that writing it to a slow disk may take
_NORMAL_END = (StopIteration, GeneratorExit, tf.errors.OutOfRangeError)


@dataclass(eq=False)
class Session:
    """Watches one fit of one model.

    Args:
        model: the compiled model.
        folder: the run directory; where it cannot be written the run stays in memory.
        plan: what to probe.
        schedule: when to probe.
        name: the run's name.
        exact: whether statistics are taken in a second pass.
        flushed: called after every flush.
        died: called with the exception that ends a probed step.
        asked: what to keep beside the statistics.
        catch_nonfinite: whether every step is looked at for NaN and Inf, and training ends at the first one.
    """

    model: Any
    folder: Path
    plan: Plan
    schedule: Schedule
    name: str
    exact: bool
    flushed: Callable[[], None]
    died: Callable[[BaseException], None]
    asked: Asked
    catch_nonfinite: bool = False
    journal: Journal = field(init=False)
    resources: Resources = field(init=False)
    known: Known = field(init=False)
    _probed: ProbedStep | None = None
    catch: catch.Catch | None = None
    validation: Validation | None = None
    _prepared: bool = False
    _first_step: int = 0
    _step: int = 0
    _epoch_base: int = 0
    _done: int = 0
    _began: float | None = None
    _was_probed: bool = False
    _ran: set[tuple[bool, bool | None]] = field(default_factory=set)
    _last_flush: float = 0.0
    _flush_took: float = 0.0

    @property
    def recorder(self) -> Recorder:
        """What writes the run."""
        return self.journal.recorder

    def guarded(self, subject: str) -> AbstractContextManager[None]:
        """Keep what a block raises from the user's training: one warning, one note."""
        return self.journal.guarded(subject)

    def start(self, params: Mapping[str, Any], told: Sequence[Facts], others: Sequence[Any] | None = None) -> None:
        """Open the run of a fit, with what it is about, as `Known` has it."""
        every, overhead = self.schedule.every, self.schedule.overhead
        settings = {"name": self.name, "exact": self.exact, "every": every, "overhead": overhead}
        self.journal = Journal(self.folder, settings)
        self.resources = Resources(self.journal, self.schedule)
        self.known = Known(self.model, self.journal, params, told, others)
        self._steps_per_epoch, self._count = params.get("steps"), int(self.model.steps_per_execution)

    def _prepare(self) -> None:
        """Record the facts, and make the probed step; not before other callbacks restored what they restore."""
        self._prepared = True
        with self.guarded("facts"):
            # A model that was compiled anew counts from 0 again.
            self._first_step = max(facts.initial_step(self.model), self.journal.steps_before)
            self.known.record()
            self.resources.begin()
        with self.guarded("probes"):
            put_back(self.model, "train_function")  # what a fit before this one left, if it raised
            self._make_probes()

    def _make_probes(self) -> None:
        fit = self._first_step, self._count, self.exact, self.schedule.every
        probes = of_training(self.known, self.plan, self.asked, *fit)
        if probes is None:
            return
        journal = self.journal
        self.catch = catch.beside(self.model, journal, probes) if self.catch_nonfinite else None
        keeper = self.catch.keeper if self.catch else None
        self._probed = ProbedStep(self.model, probes, keeper=keeper, fetches=self.resources.fetches)
        tested = of_testing(probes, journal)
        if tested is not None:
            self.validation = Validation(self.model, tested, self.exact, journal.failed, self._validated)

    def epoch_begin(self) -> None:
        """Forget the time that passed between epochs; before the first one, find out what is trained."""
        if not self._prepared:
            self._prepare()
        self._began = None

    def batch_begin(self, batch: int) -> None:
        """Account for the last execution, and let the next one be probed where it is due; nothing is raised."""
        try:  # `guarded`, and every call, would be felt: this runs in every step
            now = time.perf_counter()
            if self._began is not None:
                self._took(now - self._began)
            self._step = self._epoch_base + batch
            due = self.schedule.due(self._step, self._count)
            self._was_probed = self._probed is not None and self._probed.probes.wanted(self._step, self._count, due)
            if self._was_probed or (self.catch and not self.catch.told):
                self._dispatch(self.model.train_function)
            self._began = now
        except Exception as error:
            self.journal.failed("schedule", error)

    def _took(self, seconds: float) -> None:
        """Take note of the last execution's wall time."""
        variant = self._was_probed, self._probed.probes.whole if self._was_probed and self._probed else None
        if variant in self._ran:
            self.schedule.took(seconds, self._was_probed)
            self.resources.took(seconds, self._count)
        self._ran.add(variant)  # the first one of each compiles, and does not count

    def _dispatch(self, own: Any) -> None:
        if isinstance(own, StandIn):
            self._was_probed = False
            self.journal.note("probes", "a step is probed for one callback; another one stands before this one")
        else:
            stand_in(self.model, "train_function", StandIn(self._dispatcher(own), own))

    def batch_end(self, batch: int) -> None:
        """Take note that an execution, whose last step has this number within the epoch, did find data."""
        self._done = max(self._done, self._epoch_base + batch + 1)
        if self.known.unbuilt:
            self.known.record_late()

    def _dispatcher(self, own: Any) -> Callable[[Any], Any]:
        """Return a train function for one execution; the first thing it does is to put Keras's own back."""

        def train_function(iterator: Any) -> Any:
            stand_in(self.model, "train_function", own)
            step = self._probed if self._was_probed or self.catch is None else self.catch.step
            if self._probed is None or step is None:
                return own(iterator)
            try:
                logs = self._run_exact(step, own, iterator) if self.exact else self._run(step, own, iterator)
            except _NORMAL_END:
                raise
            except BaseException as error:
                self.died(error)
                raise
            with self.guarded("flush"):
                self._maybe_flush()
            return logs

        return train_function

    def _run(self, step: ProbedStep, own: Any, iterator: Any) -> Any:
        return step.instead(own, iterator, self._first_step + self._step, self._count, self._give_up)

    def _run_exact(self, step: ProbedStep, own: Any, iterator: Any) -> Any:
        if not exact.ready(self.model, begun=self._step > 0):
            self.journal.note("first step", "exact=True cannot probe the step that makes what it changes")
            return own(iterator)
        return step.beforehand(own, iterator, self._first_step + self._step, self._count, self._give_up)

    def _give_up(self, error: BaseException) -> None:
        self._probed = self.catch = None
        self.journal.failed("probes", error)

    def epoch_end(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Flush, and record what Keras logged."""
        self.known.epoch_ended(logs)
        self._epoch_base = self._done = self._taken
        with self.guarded("flush"):
            self.flush(epoch_ended=True)
        with self.guarded("epoch logs"):
            values = {name: float(np.mean(value)) for name, value in logs.items() if np.ndim(value) == 0}
            self.journal.kept(self.recorder.epoch, epoch, self._first_step + self._epoch_base, values)

    @property
    def _taken(self) -> int:
        """Steps taken in this fit; the last execution of an epoch may have had fewer than it was given."""
        steps: int | None = self._steps_per_epoch
        if steps:
            return min(self._done, self._epoch_base + steps)
        if self._count == 1:
            return self._done
        # Of data whose length is not known the optimizer tells; one that does not count every step is no help.
        told = facts.initial_step(self.model) - self._first_step
        return told if self._done - self._count < told < self._done else self._done

    def _maybe_flush(self) -> None:
        if self._probed is None:  # given up in the execution that ended
            return
        if self.catch and self.catch.found():
            self.flush()
            self.catch.act()
        rest = max(_FLUSH_SECONDS, self._flush_took / _WRITING_SHARE)
        if time.perf_counter() - self._last_flush > rest or self._probed.probes.free < self._count:
            self.flush()

    def flush(self, epoch_ended: bool = False, ended: bool = False) -> None:
        """Bring what the device holds to the file."""
        # The last execution that began may have found no data.
        last = max(self._done - 1, 0) if epoch_ended else self._step
        self.resources.record(self._first_step + last, epoch_ended)
        if self._probed is None:
            return
        began = time.perf_counter()
        self._record(self._probed.probes.drain(ended))
        now = time.perf_counter()
        self._flush_took = now - began if self._last_flush else 0.0  # the first one makes tables, and says nothing
        self._last_flush = now
        self.flushed()

    def _record(self, drained: Drained) -> None:
        for layout, steps, values in drained:
            self.journal.rows(layout, steps, values)

    def _validated(self, end: Callable[[int], Drained]) -> None:
        self._record(end(self._first_step + self._taken))

    def finish(self, status: str) -> None:
        """Flush what is left and record how the fit ended; nothing is probed afterwards."""
        if not self._prepared:
            self._prepare()
        with self.guarded("probes"):
            for name in ("train_function", "test_function"):
                put_back(self.model, name)
        with self.guarded("flush"):
            self.flush(ended=True)
        self._probed = None
        self.known.record_late()
        if self._done:
            self.known.record_end()
        with self.guarded("run directory"):
            cost = self.schedule.cost
            self.journal.kept(self.recorder.meta, probe_cost=cost, steps=self._first_step + self._done)
            self.journal.kept(self.recorder.finish, status)
