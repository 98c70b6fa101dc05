"""A train step written by hand -> what the rest of capture asks of a compiled model."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfhealth.capture.tap import current
from tfhealth.errors import UsageError

__all__ = ["Loop"]


class Loop:
    """A loop as the rest of capture sees a compiled model; what a loop does not have is asked of its model.

    Args:
        model: a model, or a sequence of models.
        optimizer: an optimizer, a sequence of them, or None.

    Attributes:
        train_function: runs one step; takes an iterator whose next element is the (args, kwargs) of the call.
        loss: the Keras loss that the step called, once it was traced.
        before: called with the (args, kwargs) of every call of what `make_train_function` made; None: nothing is.
        touched: the variables that the step reads and writes, once it ran; empty for one that runs as plain Python.
    """

    steps_per_execution = 1
    stop_training = False

    def __init__(self, model: Any, optimizer: Any) -> None:
        models, optimizers = _listed(model), _listed(optimizer)
        self.model = models[0] if len(models) == 1 else _Together(models)
        self.optimizer = optimizers[0] if optimizers else None
        for number, other in enumerate(optimizers[1:], 1):
            setattr(self, f"optimizer_{number}", other)
        self.loss: Any = None
        self.touched: Sequence[Any] | None = None
        self.before: Callable[[Any], None] | None = None
        self.train_function: Callable[[Iterator[Any]], Any] = self._run_own
        self._function: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["model"], name)

    def take(self, function: Callable[..., Any], exact: bool) -> None:
        """Take the step that the loop runs.

        Raises:
            UsageError: there is one already, or `exact` is asked for where nothing is compiled.
        """
        if self._function is not None:
            raise UsageError("One step is watched at a time; put what belongs to a step into one function.")
        if exact and not _compiled(function):
            raise UsageError("exact=True is for a tf.function; a step that runs as plain Python is the same without.")
        self._function = function

    @property
    def run_eagerly(self) -> bool:
        """Whether the step runs as plain Python."""
        return not _compiled(self._function)

    @property
    def jit_compile(self) -> bool:
        """Whether the step is compiled by XLA."""
        return bool(getattr(self._function, "_jit_compile", False))

    @property
    def metrics_variables(self) -> list[Any]:
        """What the step changes beside the model's and the optimizers' variables."""
        return [*self.model.metrics_variables, *(self.touched or ())]

    def _run_own(self, calls: Iterator[Any]) -> Any:
        args, kwargs = next(calls)
        result = self._function(*args, **kwargs)
        if self.touched is None:
            known = self._function.get_concrete_function(*args, **kwargs) if _compiled(self._function) else None
            self.touched = () if known is None else known.variables
        return result

    def make_train_function(self, force: bool = False) -> None:
        """Make `train_function` run `train_step`, compiled as the loop's own step is."""
        step, before, compiled = self.train_step, self.before, None

        def train_function(calls: Iterator[Any]) -> Any:
            nonlocal compiled
            if compiled is None:
                compiled = self._like_own(step)
            args, kwargs = next(calls)
            if before is not None:
                before((args, kwargs))
            return compiled(*args, **kwargs)

        self.train_function = train_function

    def _like_own(self, step: Callable[[Any], Any]) -> Callable[..., Any]:
        def probed(*args: Any, **kwargs: Any) -> Any:
            return step((args, kwargs))

        if not _compiled(self._function):
            return probed
        # TensorFlow has no public way to compile another function with the settings of a tf.function.
        clone: Callable[..., Any] = self._function._clone(functools.wraps(self._function.python_function)(probed))
        return clone

    def train_step(self, data: Any) -> Any:
        """Run the loop's own step as plain Python: data is the (args, kwargs) of a call."""
        args, kwargs = data
        function = self._function.python_function if _compiled(self._function) else self._function
        result = function(*args, **kwargs)
        self.returned(result)
        return result

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator] # TensorFlow is untyped
    def returned(self, result: Any) -> None:
        """Take note of what the step, or one replica's part of it, returned."""
        tap = current()
        if tap is not None:
            self.loss = tap.returned(result)


class _Together(keras.Model):  # type: ignore[misc] # Keras is untyped
    """Several models as one, for what is asked of a model as a whole."""

    def __init__(self, models: Sequence[Any]) -> None:
        super().__init__(name="_".join(str(model.name) for model in models))
        self.models = list(models)
        self.built = all(model.built for model in models)


def _listed(given: Any) -> list[Any]:
    return list(given) if isinstance(given, list | tuple) else [] if given is None else [given]


def _compiled(function: Any) -> bool:
    return isinstance(function, tf.types.experimental.PolymorphicFunction)
