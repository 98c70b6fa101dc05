"""A model's train or test step -> the same step, compiled a second time by Keras with the probes in it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from tfhealth.capture import exact
from tfhealth.capture.fetches import Fetches
from tfhealth.capture.keep import Keeper
from tfhealth.capture.probes import Probes
from tfhealth.capture.reductions import SCOPE

__all__ = ["ProbedStep"]


@dataclass(eq=False)
class ProbedStep:
    """The second train or test function of a model.

    Args:
        model: a compiled model; nothing is left on it.
        probes: what is measured in a step.
        kind: train or test.
        keeper: keeps what each step begins from.
        fetches: keeps time of the data, where somebody wants to know.
    """

    model: Any
    probes: Probes
    kind: str = "train"
    keeper: Keeper | None = None
    fetches: Fetches | None = None

    def __post_init__(self) -> None:
        self._step = getattr(self.model, f"{self.kind}_step")
        variants = (True, False) if self.probes.separate else (None,)
        self._functions = {one: self._compiled() for one in variants}
        self._made: tf.Variable | None = None

    def _compiled(self) -> Any:
        """Make Keras compile `_probed` the way it compiles the model's own step, then put everything back."""
        model, step, function = self.model, f"{self.kind}_step", f"{self.kind}_function"
        own_function, shadowed = getattr(model, function), vars(model).get(step)
        kept = nullcontext(self._probed) if self.keeper is None else self.keeper.around(self._probed)
        try:
            with kept as shadow:
                setattr(model, step, shadow)
                getattr(model, f"make_{function}")(force=True)
            return getattr(model, function)
        finally:
            if shadowed is not None:
                setattr(model, step, shadowed)
            elif step in vars(model):
                delattr(model, step)
            setattr(model, function, own_function)

    def _probed(self, data: Any) -> Any:
        if self._made is None and tf.inside_function() and _makes_variables(self.model):
            # TensorFlow throws a trace away in which variables were made, and traces anew: probes wait for that one.
            self._made = tf.Variable(0.0, trainable=False, name="tfhealth")  # Keras's are a guess, this one is sure
            return self._step(data)
        with self.probes.tapped(data):
            return self._step(data)

    def run(self, iterator: Any, step: int, count: int = 1) -> Any:
        """Run one execution, of `count` steps at most, of the probed step; `step` steps were taken before it."""
        self.probes.expect(step, count)
        return self._function(iterator)

    @property
    def _function(self) -> Any:
        return self._functions[self.probes.whole]

    def _timed(self, iterator: Any) -> AbstractContextManager[None]:
        """Keep time of the data; where every step is probed only in those that take everything, for it is felt."""
        if self.fetches is None or self.probes.whole is False:
            return nullcontext()
        return self.fetches.inside(iterator)

    def instead(self, own: Any, iterator: Any, step: int, count: int, given_up: Callable[[Exception], None]) -> Any:
        """Run one execution in the place of Keras's own function, which goes on where a probe fails."""
        try:
            self.probes.expect(step, count)
            with self._timed(iterator):
                return self._function(iterator)
        except tf.errors.OpError as error:
            if SCOPE not in str(error):
                raise
            # The user's step was not to blame. Its batch is gone; Keras goes on with the next one.
            given_up(error)
        try:
            return own(iterator)
        except tf.errors.CancelledError as error:  # the failure took the iterator with it: the epoch ends here
            raise StopIteration from error

    def beforehand(self, own: Any, iterator: Any, step: int, count: int, given_up: Callable[[Exception], None]) -> Any:
        """Run one execution, undo all that it did, and let Keras's own function have the batches."""
        began = time.perf_counter()
        try:
            taken = exact.batches(iterator, count)
        except StopIteration:
            return own(iterator)  # which finds no data either, and says so in Keras's way
        waited = time.perf_counter() - began
        try:
            with exact.preserved(self.model):
                self.run(exact.fed(taken, iterator), step, len(taken))
        except Exception as error:
            # Whatever is wrong with the batch, the user's own step will say it in its own words.
            given_up(error)
        began = time.perf_counter()
        logs = own(exact.fed(taken, iterator))
        if self.fetches is not None:
            self.fetches.ahead(waited, len(taken), waited + time.perf_counter() - began)
        return logs


def _makes_variables(model: Any) -> bool:
    """Tell whether a step of Keras seems to be the first one; of several replicas each would have to make ours."""
    if not isinstance(model, keras.Model) or model.distribute_strategy.num_replicas_in_sync > 1:
        return False
    return not all(getattr(one, "built", True) for one in [*exact.optimizers(model), *model.metrics])
