"""One execution's batches -> statistics in a second pass whose every trace is undone, and the user's own update."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

__all__ = ["batches", "fed", "preserved", "ready"]


def batches(iterator: Any, count: int) -> list[Any]:
    """Take up to `count` batches from Keras's iterator.

    Raises:
        StopIteration: there is none left, as Keras's own train function does.
    """
    taken: list[Any] = []
    with contextlib.suppress(tf.errors.OutOfRangeError):
        taken.extend(itertools.islice(iterator, count))
    if not taken:
        raise StopIteration
    return taken


def fed(taken: list[Any], iterator: Any) -> Any:
    """Return an iterator over batches already taken that runs the same executable as the one they came from.

    Keras compiles the loop over a `tf.data.Iterator` together with the step. A list of batches would run the step
    compiled alone, which may round differently, and so would an iterator with another element_spec.
    """
    if not isinstance(iterator, tf.data.Iterator):
        return iter(taken)
    datasets = [tf.data.Dataset.from_tensors(batch) for batch in taken]
    joined = functools.reduce(lambda all_before, one: all_before.concatenate(one), datasets)
    variant = tf.data.experimental.to_variant(joined)
    return iter(tf.data.experimental.from_variant(variant, structure=iterator.element_spec))


def ready(model: Any) -> bool:
    """Tell whether all variables that training will change exist; builds the optimizers that do not have theirs.

    A model that is built by its first batch is not ready for it: what does not exist cannot be put back.
    """
    if not model.built or any(not layer.built for layer in model._flatten_layers()):
        return False
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and not optimizer.built:
        with model.distribute_strategy.scope(), keras.name_scope(optimizer.name):
            optimizer.build(model.trainable_variables)
        optimizer.built = True
    return True


@contextmanager
def preserved(model: Any) -> Iterator[None]:
    """Put every variable of the model, its metrics and its optimizers back as it was before the block."""
    before = [(variable, tf.identity(variable)) for variable in _variables(model)]
    known = {id(variable) for variable, _ in before}
    try:
        yield
    finally:
        for variable, value in before:
            variable.assign(value)
        for metric in model.metrics:  # those that were made inside the block start from their own beginning
            if any(id(_raw(variable)) not in known for variable in metric.variables):
                metric.reset_state()


def _variables(model: Any) -> list[Any]:
    optimizers = [one for one in vars(model).values() if isinstance(one, keras.optimizers.Optimizer)]
    groups: list[Callable[[], list[Any]]] = [lambda: model.variables, lambda: model.metrics_variables]
    found = [variable for group in groups for variable in group()]
    found += [variable for optimizer in optimizers for variable in optimizer.variables]
    return list({id(raw): raw for raw in map(_raw, found)}.values())


def _raw(variable: Any) -> Any:
    return variable.value if isinstance(variable, keras.Variable) else variable
