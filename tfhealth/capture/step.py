"""A model's train or test step -> the same step, compiled a second time by Keras with the probes in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tfhealth.capture import exact
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
    """

    model: Any
    probes: Probes
    kind: str = "train"

    def __post_init__(self) -> None:
        self._step = getattr(self.model, f"{self.kind}_step")
        self._function = self._compiled()

    def _compiled(self) -> Any:
        """Make Keras compile `_probed` the way it compiles the model's own step, then put everything back."""
        model, step, function = self.model, f"{self.kind}_step", f"{self.kind}_function"
        own_function, shadowed = getattr(model, function), vars(model).get(step)
        try:
            setattr(model, step, self._probed)
            getattr(model, f"make_{function}")(force=True)
            return getattr(model, function)
        finally:
            if shadowed is None:
                delattr(model, step)
            else:
                setattr(model, step, shadowed)
            setattr(model, function, own_function)

    def _probed(self, data: Any) -> Any:
        with self.probes.tapped(data):
            return self._step(data)

    def run(self, iterator: Any, step: int, count: int = 1) -> Any:
        """Run one execution, of `count` steps at most, of the probed step; `step` steps were taken before it."""
        self.probes.expect(step, count)
        return self._function(iterator)

    def instead(self, own: Any, iterator: Any, step: int, count: int, given_up: Callable[[Exception], None]) -> Any:
        """Run one execution in the place of Keras's own function, which goes on where a probe fails."""
        try:
            return self.run(iterator, step, count)
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
        try:
            taken = exact.batches(iterator, count)
        except StopIteration:
            return own(iterator)  # which finds no data either, and says so in Keras's way
        try:
            with exact.preserved(self.model):
                self.run(exact.fed(taken, iterator), step, len(taken))
        except Exception as error:
            # Whatever is wrong with the batch, the user's own step will say it in its own words.
            given_up(error)
        return own(exact.fed(taken, iterator))
