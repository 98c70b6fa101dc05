"""Sums of variables, of their gradients and of their updates."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfhealth.capture.reductions.context import Context, Reduction

__all__ = ["HALVED", "PART_OF", "REDUCTIONS"]


def _mean(context: Context) -> Any:
    return tf.reduce_mean(context.x)


def _centered(context: Context) -> Any:
    return context.x - context.once(_mean)


def _half_centered_square_sum(context: Context) -> Any:
    return tf.nn.l2_loss(context.once(_centered))


def _unit(context: Context) -> Any:
    """Return u = (x − mean) / √(Σ(x − mean)²/2); powers of x itself would leave the range of float32."""
    half, mean = context.once(_half_centered_square_sum), context.once(_mean)
    # Where all elements are equal up to rounding there is no shape.
    equal = half <= mean * mean * (0.5e-12 * context.known_size)
    return context.once(_centered) * tf.where(equal, float("nan"), tf.math.rsqrt(half))


def _unit_square(context: Context) -> Any:
    return tf.square(context.once(_unit))


def _cube_sum(context: Context) -> Any:
    return tf.reduce_sum(context.once(_unit) * context.once(_unit_square))


def _unit_difference(context: Context) -> Any:
    units = tf.reshape(context.x, [-1, context.x.shape[-1]])
    return tf.reduce_max(tf.abs(units - units[:, :1]))


def _squares(part: str) -> Reduction:
    return lambda context: tf.nn.l2_loss(context.part(part))


def _number(part: str) -> Reduction:
    return lambda context: float(context.part(part))


REDUCTIONS: dict[str, Reduction] = {
    "unit_cube_sum": _cube_sum,
    "unit_fourth_sum": lambda context: tf.nn.l2_loss(context.once(_unit_square)),
    "clipped_square_sum": _squares("clipped"),
    "regularization_square_sum": _squares("regularization_gradient"),
    "data_square_sum": lambda context: tf.nn.l2_loss(context.x - context.part("regularization_gradient")),
    "expected_std": _number("expected_std"),
    "fan_in": _number("fan_in"),
    "smallest_fan_std": _number("smallest_fan_std"),
    "largest_fan_std": _number("largest_fan_std"),
    "first_centered_square_sum": lambda context: context.once(_half_centered_square_sum),
    "first_sum": lambda context: tf.reduce_sum(context.x),
    "first_minimum": lambda context: tf.reduce_min(context.x),
    "first_maximum": lambda context: tf.reduce_max(context.x),
    "unit_difference": _unit_difference,
}

HALVED = {
    *("unit_fourth_sum", "clipped_square_sum", "regularization_square_sum", "data_square_sum"),
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
