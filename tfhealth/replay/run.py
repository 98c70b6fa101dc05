"""`tfhealth.replay`: a run directory, and a model -> where NaN or Inf began in the step that was kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfhealth.capture.exact import preserved
from tfhealth.capture.handwritten import Loop
from tfhealth.capture.kept import Kept, Place, read
from tfhealth.errors import UsageError
from tfhealth.replay.causes import cause, part
from tfhealth.replay.model import put_back, rebuilt
from tfhealth.replay.operations import Operation, Traced

__all__ = ["Replay", "Row", "replay"]

_SHOWN = 20


@dataclass(frozen=True)
class Row:
    """One operation, and the part of the step that it belongs to."""

    operation: Operation
    part: str


@dataclass(frozen=True)
class Replay:
    """Where NaN or Inf began in a step.

    Attributes:
        step: optimizer steps taken before it.
        places: the sites that were hit when the step was trained.
        rows: the first operations through which NaN or Inf passed, in order; none where the replay showed none.
        more: how many there are beyond those.
        cause: the likely cause, one sentence.
    """

    step: int
    places: tuple[Place, ...]
    rows: tuple[Row, ...]
    more: int
    cause: str

    @property
    def began(self) -> Row | None:
        """The first operation that made NaN or Inf; None where the replay showed none."""
        return self.rows[0] if self.rows else None


def replay(
    run: str | os.PathLike[str],
    model: Any = None,
    optimizer: Any = None,
    *,
    step: Callable[..., Any] | None = None,
) -> Replay:
    """Run the step that `catch_nonfinite=True` kept once more, and find the operation in which NaN or Inf began.

    The step is run on the kept batch, from the kept weights, without XLA. What is given is as before afterwards.

    Args:
        run: a run directory.
        model: the compiled model, as it was when it was trained; its weights do not matter. None makes it from the
            description in the run directory, if all its parts are Keras's own. For a loop written by hand, the model or
            the models that `tfhealth.watch` was given.
        optimizer: for a loop written by hand, the optimizer or optimizers that `tfhealth.watch` was given.
        step: the step of a loop written by hand.

    Raises:
        RunError: nothing was kept in the run, or it is damaged.
        UsageError: the model is needed, or is another one; or what is needed for a replay was too large to be kept.
    """
    kept = read(Path(run))
    if not kept.state or kept.batch is None:
        raise UsageError(f"{run}: step {kept.step} cannot be replayed: {'; '.join(kept.lacks) or 'it is not whole'}.")
    if kept.hand_written and step is not None:
        loop = Loop(model, optimizer)
        loop.take(step, exact=False)
        return _replayed(kept, loop, _plain(step))
    model = rebuilt(kept) if model is None else model
    if not isinstance(model, keras.Model) or not model.compiled:
        raise UsageError("The model must be a compiled keras.Model, as it was when it was trained.")
    return _replayed(kept, model, model.train_step)


def _plain(step: Callable[..., Any]) -> Callable[[Any], Any]:
    """Return a hand-written step as a function of its (args, kwargs), whose operations are in the graph around it."""
    function: Any = step
    if isinstance(step, tf.types.experimental.PolymorphicFunction):
        function = tf.autograph.to_graph(function.python_function)
    return lambda data: function(*data[0], **data[1])


def _replayed(kept: Kept, model: Any, step: Callable[[Any], Any]) -> Replay:
    data = tf.nest.map_structure(lambda one: tf.constant(one) if hasattr(one, "dtype") else one, kept.batch)
    _built(model, data)
    with preserved(model):
        put_back(kept, model)
        traced = Traced(model, step, data)
        hit = traced.hit()
        operations = traced.operations(hit[:_SHOWN])
    names = tuple(str(one.name).rstrip("_0123456789") for one in vars(model).values() if _optimizes(one))
    rows = tuple(Row(one, part(one, names)) for one in operations)
    told = cause(rows[0].operation, rows[0].part) if rows else ""
    return Replay(kept.step, kept.places, rows, max(0, len(hit) - _SHOWN), told)


def _built(model: Any, data: Any) -> None:
    """Build a model that its first batch would build."""
    if not model.built and isinstance(model, keras.Model):
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        model(x)


def _optimizes(one: Any) -> bool:
    return isinstance(one, keras.optimizers.Optimizer)
