"""One execution's batches -> statistics in a second pass whose every trace is undone, and the user's own update."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

__all__ = ["batches", "fed", "optimizers", "preserved", "ready"]


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


def ready(model: Any, begun: bool) -> bool:
    """Tell whether all variables that the coming step will change exist, so that they can be put back.

    After the first step they do. Before it they do not for a model that is built by its first batch, and for a
    hand-written step. An optimizer without variables is built, unless it is one of several: which of them a step uses
    shows when it runs.

    Args:
        model: the model that is trained.
        begun: whether a step was taken before this one.
    """
    if begun:
        return True
    if (
        getattr(model, "touched", ()) is None
        or not model.built
        or any(not one.built for one in model._flatten_layers())
    ):
        return False
    unbuilt = [one for one in optimizers(model) if not one.built]
    if unbuilt and unbuilt == optimizers(model) == [model.optimizer]:
        with model.distribute_strategy.scope(), keras.name_scope(model.optimizer.name):
            model.optimizer.build(model.trainable_variables)
        model.optimizer.built = True
        return True
    return not unbuilt


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
            if any(id(one) not in known for one in _local(model, metric.variables)):
                metric.reset_state()


def optimizers(model: Any) -> list[Any]:
    """Return the optimizers of a model: a custom train step may use several, with names of its own."""
    return [one for one in vars(model).values() if isinstance(one, keras.optimizers.Optimizer)]


def _variables(model: Any) -> list[Any]:
    """Return every variable once, and of a distributed one each replica's: replicas may hold different values."""
    found = [*model.variables, *model.metrics_variables]
    found += [variable for optimizer in optimizers(model) for variable in optimizer.variables]
    return list({id(one): one for one in _local(model, found)}.values())


def _local(model: Any, variables: Sequence[Any]) -> list[Any]:
    strategy = model.distribute_strategy
    return [one for variable in variables for one in strategy.experimental_local_results(_raw(variable))]


def _raw(variable: Any) -> Any:
    return variable.value if isinstance(variable, keras.Variable) else variable
