"""Sums of variables, of their gradients and of their updates."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfhealth.capture.reductions.context import Context, Reduction

__all__ = ["HALVED", "PART_OF", "REDUCTIONS"]


def _centered(context: Context) -> Any:
    return context.x - tf.reduce_mean(context.x)


def _standard(context: Context) -> tuple[Any, Any]:
    """Return z = (x − mean) / std and z²; powers of x itself would leave the range of float32."""
    centered = context.once(_centered)
    variance = 2 * tf.nn.l2_loss(centered) / context.size
    # Where all elements are equal up to rounding there is no shape.
    equal = variance <= tf.square(1e-6 * tf.reduce_mean(context.x))
    z = centered * tf.where(equal, float("nan"), tf.math.rsqrt(variance))
    return z, tf.square(z)


def _standard_cube_sum(context: Context) -> Any:
    z, square = context.once(_standard)
    return tf.reduce_sum(z * square)


def _unit_difference(context: Context) -> Any:
    units = tf.reshape(context.x, [-1, context.x.shape[-1]])
    return tf.reduce_max(tf.abs(units - units[:, :1]))


def _squares(part: str) -> Reduction:
    return lambda context: tf.nn.l2_loss(context.part(part))


def _number(part: str) -> Reduction:
    return lambda context: float(context.part(part))


REDUCTIONS: dict[str, Reduction] = {
    "standard_cube_sum": _standard_cube_sum,
    "standard_fourth_sum": lambda context: tf.nn.l2_loss(context.once(_standard)[1]),
    "clipped_square_sum": _squares("clipped"),
    "regularization_square_sum": _squares("regularization_gradient"),
    "data_square_sum": lambda context: tf.nn.l2_loss(context.x - context.part("regularization_gradient")),
    "expected_std": _number("expected_std"),
    "fan_in": _number("fan_in"),
    "smallest_fan_std": _number("smallest_fan_std"),
    "largest_fan_std": _number("largest_fan_std"),
    "first_centered_square_sum": lambda context: tf.nn.l2_loss(context.once(_centered)),
    "first_sum": lambda context: tf.reduce_sum(context.x),
    "first_minimum": lambda context: tf.reduce_min(context.x),
    "first_maximum": lambda context: tf.reduce_max(context.x),
    "unit_difference": _unit_difference,
}

HALVED = {
    *("standard_fourth_sum", "clipped_square_sum", "regularization_square_sum", "data_square_sum"),
    "first_centered_square_sum",
}

PART_OF = {
    "clipped_square_sum": "clipped",
    "regularization_square_sum": "regularization_gradient",
    "data_square_sum": "regularization_gradient",
    "expected_std": "expected_std",
    "fan_in": "fan_in",
    "smallest_fan_std": "smallest_fan_std",
    "largest_fan_std": "largest_fan_std",
}
