"""One fit: Keras's hooks -> probed steps on a schedule -> rows in a Recorder."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfhealth.capture import exact, facts, sites
from tfhealth.capture.rows import Layout
from tfhealth.capture.schedule import Schedule
from tfhealth.capture.sites import Located
from tfhealth.capture.step import SCOPE, ProbedStep
from tfhealth.capture.told import Facts
from tfhealth.plan import Plan
from tfhealth.recorder import Recorder
from tfhealth.series import Site

__all__ = ["HealthWarning", "Session"]

_FLUSH_SECONDS = 0.2
_NORMAL_END = (StopIteration, GeneratorExit, tf.errors.OutOfRangeError)


class HealthWarning(UserWarning):
    """Something could not be watched; training goes on."""


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
    """

    model: Any
    folder: Path
    plan: Plan
    schedule: Schedule
    name: str
    exact: bool
    flushed: Callable[[], None]
    died: Callable[[BaseException], None]
    recorder: Recorder = field(init=False)
    _probed: ProbedStep | None = None
    _layouts: dict[int, tuple[Layout, int]] = field(default_factory=dict)
    _warned: set[str] = field(default_factory=set)
    _first_step: int = 0
    _step: int = 0
    _epoch_base: int = 0
    _began: float | None = None
    _was_probed: bool = False
    _runs: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    _last_flush: float = 0.0

    def start(self, params: Mapping[str, Any], told: Sequence[Facts]) -> None:
        """Open the recorder, record the facts, and make the probed step."""
        self.recorder = self._open()
        with self.guarded("facts"):
            self._first_step = facts.initial_step(self.model)
            self._record_facts(params, told)
        self._steps_per_epoch = params.get("steps")
        self._count = int(self.model.steps_per_execution)
        with self.guarded("probes"):
            self._make_probes()

    def _open(self) -> Recorder:
        try:
            recorder = Recorder(self.folder)
        except Exception as error:  # an unwritable disk must not end a training
            self._warn("run directory", f"{self.folder} cannot be written ({error}); the run is kept in memory only")
            recorder = Recorder(None)
        recorder.meta(name=self.name, exact=self.exact, every=self.schedule.every, overhead=self.schedule.overhead)
        return recorder

    def _record_facts(self, params: Mapping[str, Any], told: Sequence[Facts]) -> None:
        found, layers, failed = facts.collect(self.model, params, told)
        for name, attributes in found.items():
            self.recorder.site(Site("fact", name), attributes)
        for group, why in failed:
            self.recorder.note(group, why)
        for layer, attributes, position in layers:
            self.recorder.site(layer, attributes, position)
        for site, weight in sites.frozen(self.model):
            self.recorder.site(site, weight)

    def _make_probes(self) -> None:
        replicas = self.model.distribute_strategy.num_replicas_in_sync
        if replicas > 1:
            self.note("probes", f"the model trains on {replicas} replicas, which probes do not support yet")
            return
        if getattr(self.model, "optimizer", None) is None:
            why = "the model has no optimizer"
            self.note("gradient", why)
            self.note("update", why)
        capacity = max(64, 2 * self._count)
        self._probed = ProbedStep(self.model, self.plan, self._first_step, self.note, self.failed, self._seen, capacity)

    def epoch_begin(self) -> None:
        """Forget the time that passed between epochs."""
        self._began = None

    def batch_begin(self, batch: int) -> None:
        """Account for the last execution, and let the next one be probed where it is due."""
        now = time.perf_counter()
        if self._began is not None:
            self._runs[self._was_probed] += 1
            if self._runs[self._was_probed] > 1:  # the first of each kind compiles
                self.schedule.took(now - self._began, self._was_probed)
        self._step = self._epoch_base + batch
        self._was_probed = self._probed is not None and self.schedule.due(self._step, self._count)
        if self._was_probed:
            self.model.train_function = self._dispatcher(self.model.train_function)
        self._began = now

    def _dispatcher(self, own: Any) -> Callable[[Any], Any]:
        """Return a train function for one execution; the first thing it does is to put Keras's own back."""

        def train_function(iterator: Any) -> Any:
            self.model.train_function = own
            if self._probed is None:
                return own(iterator)
            try:
                logs = self._run_exact(own, iterator) if self.exact else self._run(own, iterator)
            except _NORMAL_END:
                raise
            except BaseException as error:
                self.died(error)
                raise
            with self.guarded("flush"):
                self._maybe_flush()
            return logs

        return train_function

    def _run(self, own: Any, iterator: Any) -> Any:
        assert self._probed is not None
        try:
            return self._probed.run(iterator, self._first_step + self._step, self._count)
        except tf.errors.OpError as error:
            if SCOPE not in str(error):
                raise
            # The user's step was not to blame. Its batch is gone; training goes on with the next one.
            self._give_up(error)
        try:
            return own(iterator)
        except tf.errors.CancelledError as error:  # the failure took the iterator with it: the epoch ends here
            raise StopIteration from error

    def _run_exact(self, own: Any, iterator: Any) -> Any:
        assert self._probed is not None
        if not exact.ready(self.model):
            self.note("first step", "exact=True cannot probe the step that builds the model")
            return own(iterator)
        taken = exact.batches(iterator, self._count)
        try:
            with exact.preserved(self.model):
                self._probed.run(exact.fed(taken, iterator), self._first_step + self._step, len(taken))
        except Exception as error:
            # Whatever is wrong with the batch, the user's own step will say it in its own words.
            self._give_up(error)
        return own(exact.fed(taken, iterator))

    def _give_up(self, error: BaseException) -> None:
        self._probed = None
        self.failed("probes", error)

    def epoch_end(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Flush, and record what Keras logged."""
        steps = self._steps_per_epoch
        self._epoch_base = self._epoch_base + steps if steps else self._step + self._count
        with self.guarded("flush"):
            self.flush()
        with self.guarded("epoch logs"):
            values = {name: float(np.mean(value)) for name, value in logs.items() if np.ndim(value) == 0}
            self.recorder.epoch(epoch, self._first_step + self._epoch_base, values)

    def _maybe_flush(self) -> None:
        assert self._probed is not None
        if time.perf_counter() - self._last_flush > _FLUSH_SECONDS or self._probed.free < self._count:
            self.flush()

    def flush(self) -> None:
        """Bring what the device holds to the file."""
        if self._probed is None:
            return
        for layout, steps, values in self._probed.drain():
            if id(layout) not in self._layouts:
                self._layouts[id(layout)] = (layout, self.recorder.layout(layout.probes))
            self.recorder.append(self._layouts[id(layout)][1], steps, values)
        self._last_flush = time.perf_counter()
        self.flushed()

    def finish(self, status: str) -> None:
        """Flush what is left and record how the fit ended; nothing is probed afterwards."""
        with self.guarded("flush"):
            self.flush()
        self._probed = None
        with self.guarded("run directory"):
            cost = self.schedule.cost
            self.recorder.meta(probe_cost=cost, steps=self._first_step + self._epoch_base)
            self.recorder.finish(status)

    def _seen(self, located: Sequence[Located]) -> None:
        for one in located:
            position = one.attributes.get("position")
            self.recorder.site(one.site, one.attributes, position if isinstance(position, int) else 0)

    def note(self, subject: str, why: str) -> None:
        """Record that something is not measured, and why; no fault of anybody."""
        with self.guarded("notes"):
            self.recorder.note(subject, why)

    def failed(self, subject: str, error: BaseException) -> None:
        """Record that something could not be measured because it raised, and warn once a fit."""
        text = str(error)  # TensorFlow says the cause after a traceback, Python before it
        short = text if len(text) <= 500 else f"{text[:250]} … {text[-250:]}"
        why = f"{type(error).__name__}: {short}"
        self._warn("probes", f"{subject} is not measured: {why}")
        try:
            self.recorder.note(subject, why)
        except Exception as second:  # the disk is full or gone: the warning is all that can be given
            self._warn("run directory", f"the run directory cannot be written: {second}")

    @contextmanager
    def guarded(self, subject: str) -> Iterator[None]:
        """Keep what the block raises from the user's training: one warning, one note."""
        try:
            yield
        except Exception as error:
            self.failed(subject, error)

    def _warn(self, kind: str, what: str) -> None:
        """Warn once for each kind of trouble, also where the user turned warnings into errors."""
        if kind in self._warned:
            return
        self._warned.add(kind)
        with suppress(HealthWarning):
            warnings.warn(f"tfhealth: {what}", HealthWarning, stacklevel=2)
