"""Sums of any tensor, and those of layer outputs: zeros, saturated outputs, dead units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfhealth.capture.reductions.context import Context, Reduction, where
from tfhealth.statistics import DEAD_WINDOW

__all__ = ["HALVED", "PART_OF", "REDUCTIONS", "SHORT", "TOGETHER", "flat_outside", "total"]

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


def _dead_counts(contexts: Sequence[Context]) -> Any:
    """Return the dead units of each of several sites, float32[sites]; NaN before enough samples were seen.

    All sites have one state: a dozen small operations for each would take longer than looking at the outputs.
    """
    units = [int(one.x.shape[-1]) for one in contexts]
    site_of = np.repeat(np.arange(len(units)), units)
    ages = contexts[0].state(f"ages {units}", (sum(units),))
    seen = contexts[0].state(f"seen {units}", (len(units),))
    samples = tf.cast(tf.stack([one.length for one in contexts]), tf.float32)
    largest = tf.concat([tf.reduce_max(one.rows, axis=0) for one in contexts], 0)
    age = ages.assign(tf.where(largest > 0, tf.zeros([sum(units)]), ages + tf.gather(samples, site_of)))
    dead = tf.math.unsorted_segment_sum(tf.cast(age >= DEAD_WINDOW, tf.float32), site_of, len(units))
    return where(seen.assign_add(samples) >= DEAD_WINDOW, dead, float("nan"))


def _square_sums(contexts: Sequence[Context]) -> Any:
    """Return half the sum of squares of each of several vectors, float32[sites], in four operations."""
    site_of = np.repeat(np.arange(len(contexts)), [int(one.fixed_size or 0) for one in contexts])
    squares = tf.square(tf.concat([one.x for one in contexts], 0))
    return 0.5 * tf.math.unsorted_segment_sum(squares, site_of, len(contexts))


def total(context: Context) -> Any:
    """Return Σx."""
    return tf.reduce_sum(context.x, context.axes)


def _half_centered_square_sum(context: Context) -> Any:
    return tf.nn.l2_loss(context.x - context.once(total) / context.size)


def _nonfinite_count(context: Context) -> Any:
    if not context.tensor.dtype.is_floating:
        return 0.0
    return tf.reduce_sum(tf.cast(~tf.math.is_finite(context.tensor), tf.float32))


REDUCTIONS: dict[str, Reduction] = {
    "count": lambda context: context.count,
    "sum": lambda context: context.once(total),
    "square_sum": lambda context: tf.nn.l2_loss(context.x),
    "centered_square_sum": _half_centered_square_sum,
    "minimum": lambda context: tf.reduce_min(context.x, context.axes),
    "maximum": lambda context: tf.reduce_max(context.x, context.axes),
    "zero_count": lambda context: tf.reduce_sum(tf.cast(tf.equal(context.x, 0), tf.float32)),
    "nonfinite_count": _nonfinite_count,
    "saturated_count": _saturated_count,
    "dead_count": lambda context: _dead_counts([context])[0],
    "units": lambda context: float(context.x.shape[-1]),
}

TOGETHER: dict[str, Callable[[Sequence[Context]], Any]] = {"dead_count": _dead_counts, "square_sum": _square_sums}

SHORT = {"square_sum"}
"""Those of `TOGETHER` that only short vectors are taken together for: to put others into one would copy them."""

HALVED = {"square_sum", "centered_square_sum"}

PART_OF = {"saturated_count": "flat_outside"}
