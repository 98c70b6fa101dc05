"""Sums of variables, of their gradients and of their updates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tfhealth.capture.reductions import tensors
from tfhealth.capture.reductions.context import Context, Reduction
from tfhealth.capture.reductions.tensors import total

__all__ = ["HALVED", "PART_OF", "REDUCTIONS", "TOGETHER"]


def _half_square_sum(context: Context) -> Any:
    return tf.nn.l2_loss(context.once(_centered))


def _centered(context: Context) -> Any:
    _center([context])
    return context.once(_centered)


def _center(contexts: Sequence[Context]) -> Any:
    """Make x − mean for each of several sites, and return the means, float32[sites]."""
    means = tf.stack([one.once(total) for one in contexts]) / _sizes(contexts)
    for one, mean in zip(contexts, tf.unstack(means), strict=True):
        one.keep(_centered, one.x - mean)
    return means


def _sizes(contexts: Sequence[Context]) -> Any:
    return tf.stack([one.known_size for one in contexts])


def _unit(context: Context) -> Any:
    """Return u = (x − mean) / √(Σ(x − mean)²/2); powers of x itself would leave the range of float32."""
    _make_units([context])
    return context.once(_unit)


def _make_units(contexts: Sequence[Context]) -> None:
    """Make `_unit` for each of several sites: what is done to single numbers is done to those of all at once."""
    means = _center(contexts)
    halves = tf.stack([one.once(_half_square_sum) for one in contexts])
    # Where all elements are equal up to rounding there is no shape.
    equal = halves <= means * means * (0.5e-12 * _sizes(contexts))
    scales = tf.unstack(tf.where(equal, float("nan"), tf.math.rsqrt(halves)))
    for one, scale in zip(contexts, scales, strict=True):
        one.keep(_unit, one.once(_centered) * scale)


def _unit_square(context: Context) -> Any:
    return tf.square(context.once(_unit))


def _cube_sum(context: Context) -> Any:
    return tf.reduce_sum(context.once(_unit) * context.once(_unit_square), context.axes)


def _fourth_sum(context: Context) -> Any:
    return tf.nn.l2_loss(context.once(_unit_square))


def _of_units(reduce: Reduction) -> Callable[[Sequence[Context]], Any]:
    """Return what computes a sum of units for several sites, float32[sites]."""

    def reduced(contexts: Sequence[Context]) -> Any:
        missing = [one for one in contexts if not one.has(_unit)]
        if missing:
            _make_units(missing)
        return tf.stack([reduce(one) for one in contexts])

    return reduced


def _unit_difference(context: Context) -> Any:
    units = context.rows
    return tf.reduce_max(tf.abs(units - tf.gather(units, [0], axis=1)))


def _squares(part: str) -> Reduction:
    return lambda context: tf.nn.l2_loss(context.part(part))


def _number(part: str) -> Reduction:
    return lambda context: float(context.part(part))


REDUCTIONS: dict[str, Reduction] = {
    "unit_cube_sum": _cube_sum,
    "unit_fourth_sum": _fourth_sum,
    "clipped_square_sum": _squares("clipped"),
    "regularization_square_sum": _squares("regularization_gradient"),
    "data_square_sum": lambda context: tf.nn.l2_loss(context.x - context.part("regularization_gradient")),
    "expected_std": _number("expected_std"),
    "fan_in": _number("fan_in"),
    "smallest_fan_std": _number("smallest_fan_std"),
    "largest_fan_std": _number("largest_fan_std"),
    "first_centered_square_sum": lambda context: context.once(_half_square_sum),
    **{f"first_{name}": tensors.REDUCTIONS[name] for name in ("sum", "minimum", "maximum")},
    "unit_difference": _unit_difference,
}

TOGETHER = {"unit_cube_sum": _of_units(_cube_sum), "unit_fourth_sum": _of_units(_fourth_sum)}

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
