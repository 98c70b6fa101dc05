"""A tensor -> the sums that statistics are made of: one function a sum, on the device, in float32."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from tfhealth.series import Attribute
from tfhealth.statistics import DEAD_WINDOW, Sum

__all__ = ["PART_OF", "REDUCTIONS", "SCOPE", "Context", "reduced"]

SCOPE = "tfhealth_probes"
"""In the name of every op of ours: an op that fails while a step runs is told from the user's own by it."""

_SATURATED: dict[str, tuple[float, float]] = {
    # |derivative| < 5 % of its maximum: tanh' = 1 − y², sigmoid' = y(1 − y) ≤ 1/4, softsign' = (1 − |y|)².
    "tanh": (-0.97468, 0.97468),
    "sigmoid": (0.012660, 0.987340),
    "hard_sigmoid": (1e-6, 1 - 1e-6),
    "hard_tanh": (-1 + 1e-6, 1 - 1e-6),
    "softsign": (-0.77639, 0.77639),
}


_NUMBERS = {"float16", "bfloat16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"}


@dataclass
class Context:
    """One tensor to reduce.

    Attributes:
        tensor: any float or integer dtype; it is cast to float32 once.
        attributes: of the tensor's site.
        state: makes or finds a variable that lives as long as the probes: (name, shape) -> tf.Variable.
        parts: further tensors or numbers by name, where a sum needs them (`PART_OF`); None for a part not there.
        fixed_size: number of elements, where it is the same in every trace, as a variable's is.
    """

    tensor: Any
    attributes: Mapping[str, Attribute]
    state: Callable[[str, tuple[int, ...]], Any]
    parts: dict[str, Any] = field(default_factory=dict)
    fixed_size: float | None = None

    @functools.cached_property
    def x(self) -> Any:
        """The tensor as float32."""
        return self.tensor if self.tensor.dtype == tf.float32 else tf.cast(self.tensor, tf.float32)

    @functools.cached_property
    def size(self) -> Any:
        """The number of elements, float32."""
        return tf.cast(tf.size(self.tensor), tf.float32)

    @functools.cached_property
    def feature_variance(self) -> Any:
        """Variance over the batch of every feature that varies in it; 0 for one that does not."""
        mean, variance = tf.nn.moments(self.x, axes=[0])
        return tf.where(variance > tf.square(1e-6 * mean), variance, 0.0)

    @functools.cached_property
    def active(self) -> tuple[Any, Any]:
        """Samples since each unit was last active, float32[units], and samples seen, float32."""
        axes = list(range(self.x.shape.rank - 1))
        batch = tf.cast(tf.shape(self.x)[0], tf.float32)
        age = self.state("age", (int(self.x.shape[-1]),))
        seen = self.state("seen", ())
        fired = tf.reduce_max(self.x, axis=axes) > 0
        return age.assign(tf.where(fired, 0.0, age + batch)), seen.assign_add(batch)

    @functools.cached_property
    def class_counts(self) -> Any:
        """How often each class was seen by probes so far, float32[C]."""
        count = int(self.parts["classes"])
        if self.attributes.get("encoding") == "onehot":
            batch = tf.reduce_sum(tf.reshape(self.x, [-1, count]), axis=0)
        else:
            labels = tf.cast(tf.reshape(self.tensor, [-1]), tf.int32)
            batch = tf.reduce_sum(tf.one_hot(labels, count), axis=0)
        return self.state("classes", (count,)).assign_add(batch)


def _saturated_count(context: Context) -> Any:
    low, high = _SATURATED[str(context.attributes["activation"])]
    return tf.reduce_sum(tf.cast((context.x < low) | (context.x > high), tf.float32))


def _dead_count(context: Context) -> Any:
    age, seen = context.active
    dead = tf.reduce_sum(tf.cast(age >= DEAD_WINDOW, tf.float32))
    return tf.where(seen >= DEAD_WINDOW, dead, float("nan"))


def _unit_difference(context: Context) -> Any:
    units = tf.reshape(context.x, [-1, context.x.shape[-1]])
    return tf.reduce_max(tf.abs(units - units[:, :1]))


def _smallest_feature_std(context: Context) -> Any:
    variance = context.feature_variance
    return tf.sqrt(tf.reduce_min(tf.where(variance > 0, variance, float("inf"))))


def _part(name: str) -> Callable[[Context], Any]:
    return lambda context: tf.cast(context.parts[name], tf.float32)


REDUCTIONS: dict[str, Callable[[Context], Any]] = {
    "count": lambda context: context.size,
    "sum": lambda context: tf.reduce_sum(context.x),
    "square_sum": lambda context: 2 * tf.nn.l2_loss(context.x),
    "centered_square_sum": lambda context: 2 * tf.nn.l2_loss(context.x - tf.reduce_mean(context.x)),
    "minimum": lambda context: tf.reduce_min(context.x),
    "maximum": lambda context: tf.reduce_max(context.x),
    "nonfinite_count": lambda context: tf.reduce_sum(tf.cast(~tf.math.is_finite(context.x), tf.float32)),
    "saturated_count": _saturated_count,
    "dead_count": _dead_count,
    "units": lambda context: tf.constant(float(context.x.shape[-1])),
    "first_minimum": lambda context: tf.reduce_min(context.x),
    "first_maximum": lambda context: tf.reduce_max(context.x),
    "unit_difference": _unit_difference,
    "largest_feature_std": lambda context: tf.sqrt(tf.reduce_max(context.feature_variance)),
    "smallest_feature_std": _smallest_feature_std,
    "largest_class": lambda context: tf.reduce_max(context.class_counts),
    "smallest_class": lambda context: tf.reduce_min(context.class_counts),
    "total": _part("total"),
    "data": _part("data"),
    "regularization": _part("regularization"),
    "chance": _part("chance"),
}

PART_OF: dict[str, str] = {
    "total": "total",
    "data": "data",
    "regularization": "regularization",
    "chance": "chance",
    "largest_class": "classes",
    "smallest_class": "classes",
}
"""The part of its context that a sum needs."""


def reduced(one: Sum, context: Context) -> Any:
    """Return a sum of a tensor, float32 scalar: by the function that a package brings along, or by ours."""
    return REDUCTIONS[one.name](context) if one.reduce is None else _foreign(one.reduce, context)


@functools.cache
def _compiled(reduce: Callable[[Any], Any]) -> Any:
    def named(tensor: Any) -> Any:
        with tf.name_scope(SCOPE):
            return reduce(tensor)

    return tf.function(named, autograph=False)


def _foreign(reduce: Callable[[Any], Any], context: Context) -> Any:
    """Trace a function from a package in a graph of its own: one that fails or has effects leaves nothing in the step.

    Raises:
        ValueError: it does more than compute, or what it returns is not one number.
    """
    traced = _compiled(reduce).get_concrete_function(tf.TensorSpec(context.x.shape, tf.float32))
    effects = sorted({op.type for op in traced.graph.get_operations() if op.op_def.is_stateful})
    if effects:
        raise ValueError(f"a statistic must have no effect beside its value; this one runs {', '.join(effects)}")
    result = traced.structured_outputs
    if not isinstance(result, tf.Tensor | tf.TensorSpec):
        raise ValueError(f"a statistic must return a scalar tensor; this one returned {type(result).__name__}")
    if result.shape.rank != 0 or result.dtype.name not in _NUMBERS:
        received = f"shape {result.shape} and dtype {result.dtype.name}"
        raise ValueError(f"a statistic must return a scalar tensor; this one returned one of {received}")
    return tf.cast(traced(context.x), tf.float32)
