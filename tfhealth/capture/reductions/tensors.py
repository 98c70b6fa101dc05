"""Sums of any tensor, and those of layer outputs: zeros, saturated outputs, dead units."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfhealth.capture.reductions.context import Context, Reduction
from tfhealth.statistics import DEAD_WINDOW

__all__ = ["PART_OF", "REDUCTIONS", "flat_outside"]

_SATURATED: dict[str, tuple[float, float]] = {
    # |derivative| < 5 % of its maximum: tanh' = 1 − y², sigmoid' = y(1 − y) ≤ 1/4, softsign' = (1 − |y|)².
    "tanh": (-0.97468, 0.97468),
    "sigmoid": (0.012660, 0.987340),
    "softsign": (-0.77639, 0.77639),
    # Straight between two ends, where the derivative is 0.
    "hard_sigmoid": (1e-6, 1 - 1e-6),
    "sparse_sigmoid": (1e-6, 1 - 1e-6),
    "hard_tanh": (-1 + 1e-6, 1 - 1e-6),
    "relu6": (1e-6, 6 - 1e-6),
    # ∂yᵢ/∂xᵢ = yᵢ(1 − yᵢ): with one output above the limit all derivatives of its row are below 5 % of 1/4.
    "softmax": (-1.0, 0.987340),
}


def flat_outside(activation: object) -> tuple[float, float] | None:
    """Return the outputs between which an activation is not saturated, or None where outputs do not tell."""
    return _SATURATED.get(str(activation))


def _saturated_count(context: Context) -> Any:
    low, high = context.part("flat_outside")
    if context.attributes["activation"] == "softmax":
        rows = tf.reduce_max(context.x, axis=-1) > high
        return tf.reduce_sum(tf.cast(rows, tf.float32)) * tf.cast(tf.shape(context.x)[-1], tf.float32)
    return tf.reduce_sum(tf.cast((context.x < low) | (context.x > high), tf.float32))


def _active(context: Context) -> tuple[Any, Any]:
    """Return samples since each unit was last active, float32[units], and samples seen, float32."""
    axes = list(range(context.x.shape.rank - 1))
    age = context.state("age", (int(context.x.shape[-1]),))
    seen = context.state("seen", ())
    fired = tf.reduce_max(context.x, axis=axes) > 0
    return age.assign(tf.where(fired, 0.0, age + context.samples)), seen.assign_add(context.samples)


def _dead_count(context: Context) -> Any:
    age, seen = context.once(_active)
    dead = tf.reduce_sum(tf.cast(age >= DEAD_WINDOW, tf.float32))
    return tf.where(seen >= DEAD_WINDOW, dead, float("nan"))


REDUCTIONS: dict[str, Reduction] = {
    "count": lambda context: context.size,
    "sum": lambda context: tf.reduce_sum(context.x),
    "square_sum": lambda context: 2 * tf.nn.l2_loss(context.x),
    "centered_square_sum": lambda context: 2 * tf.nn.l2_loss(context.x - tf.reduce_mean(context.x)),
    "minimum": lambda context: tf.reduce_min(context.x),
    "maximum": lambda context: tf.reduce_max(context.x),
    "zero_count": lambda context: tf.reduce_sum(tf.cast(tf.equal(context.x, 0), tf.float32)),
    "nonfinite_count": lambda context: tf.reduce_sum(tf.cast(~tf.math.is_finite(context.x), tf.float32)),
    "saturated_count": _saturated_count,
    "dead_count": _dead_count,
    "units": lambda context: tf.constant(float(context.x.shape[-1])),
}

PART_OF = {"saturated_count": "flat_outside"}
