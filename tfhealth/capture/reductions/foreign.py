"""A function that is not ours -> its value in the step, traced in a graph of its own first: it can only compute."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfhealth.capture.reductions.context import Context

__all__ = ["SCOPE", "effects_of", "foreign", "traced"]

SCOPE = "tfhealth_probes"
"""In the name of every op of ours: an op that fails while a step runs is told from the user's own by it."""

_NUMBERS = {"float16", "bfloat16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"}


def traced(function: Callable[[Any], Any], shape: Any, what: str) -> Any:
    """Trace a function of one float32 tensor; one that fails or has effects leaves nothing in the step.

    Raises:
        ValueError: it does more than compute; `what` names it.
    """
    return _pure(_named(function), shape, what)


def _named(function: Callable[[Any], Any]) -> Any:
    def named(tensor: Any) -> Any:
        with tf.name_scope(SCOPE):
            return function(tensor)

    return tf.function(named, autograph=False)


_statistic = functools.cache(_named)  # one for all sites of the same shape


def _pure(compiled: Any, shape: Any, what: str) -> Any:
    concrete = compiled.get_concrete_function(tf.TensorSpec(shape, tf.float32))
    effects = effects_of(concrete)
    if effects:
        raise ValueError(f"{what} must have no effect beside its value; this one runs {', '.join(effects)}")
    return concrete


def effects_of(concrete: Any) -> list[str]:
    """Return the types of the ops that do more than compute, in a traced function."""
    return sorted({op.type for op in concrete.graph.get_operations() if op.op_def.is_stateful})


def foreign(reduce: Callable[[Any], Any], context: Context) -> Any:
    """Return what a function from a package makes of a tensor.

    Raises:
        ValueError: it does more than compute, or what it returns is not one number.
    """
    concrete = _pure(_statistic(reduce), context.x.shape, "a statistic")
    result = concrete.structured_outputs
    if not isinstance(result, tf.Tensor | tf.TensorSpec):
        raise ValueError(f"a statistic must return a scalar tensor; this one returned {type(result).__name__}")
    if result.shape.rank != 0 or result.dtype.name not in _NUMBERS:
        received = f"shape {result.shape} and dtype {result.dtype.name}"
        raise ValueError(f"a statistic must return a scalar tensor; this one returned one of {received}")
    return tf.cast(concrete(context.x), tf.float32)
