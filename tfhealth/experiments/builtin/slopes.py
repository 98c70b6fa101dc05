"""(a function, its derivative) -> how far that is from finite differences, beyond what these are unsure of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["Slope", "along", "leak", "slope_error"]

_MARGIN = 3.0  # of the spread over three widths, which is an estimate of the error


class Slope(float):
    """A relative error of a derivative, and whether finite differences could tell.

    Attributes:
        unsure: they differ among themselves by more than a tenth, as at a kink.
    """

    unsure = False


def slope_error(value: Callable[[float], float], derivative: float, step: float, scale: float, digits: float) -> Slope:
    """Return |derivative − central difference| over the larger of both, less what the difference is unsure of.

    Central differences are taken at `step`, a half and a quarter of it. Where they disagree, at a kink as of ReLU or
    for want of digits, none is near the truth: that much of the error is forgiven, and above a tenth all of it. So it
    is where the slopes to both sides differ at the point itself: a ReLU of 0 has two. A derivative that is not finite
    has the error 1.

    Args:
        value: the function along one direction, at a distance from the point.
        derivative: what is claimed of it at 0.
        step: a distance at which it is nearly straight.
        scale: the size of derivative below which nothing counts.
        digits: relative precision of `value`.
    """
    widths, here = step * np.array([1, 1 / 2, 1 / 4]), value(0.0)
    ends = np.array([(value(width), value(-width)) for width in widths])
    slopes = (ends[:, 0] - ends[:, 1]) / (2 * widths)
    bends = (ends.sum(1) - 2 * here) / widths  # right slope - left slope, in proportion to the width if smooth
    kink = abs(float(2 * bends[2] - bends[1]))
    middle = float(np.median(slopes))
    if not np.isfinite(derivative):
        return Slope(1.0)
    size = max(abs(derivative), abs(middle), scale)
    doubt = _MARGIN * (float(np.ptp(slopes)) + kink + digits * float(np.abs(ends).max()) / step)
    known = bool(doubt <= 0.1 * size)  # not where one of them is not finite either
    found = Slope(max(0.0, abs(derivative - middle) - doubt) / size if known else 0.0)
    found.unsure = not known
    return found


def along(function: Callable[[Any], Any], point: Any, seed: int) -> Slope:
    """Return the error of the tape's derivative of a function of one tensor, along a random direction of length 1.

    Args:
        function: tensor -> tensor; a weighted mean of it is what is derived.
        point: a tensor of floats.
        seed: of the direction.
    """
    import tensorflow as tf

    drawn = np.random.default_rng(seed).normal(size=point.shape)
    direction = tf.constant(drawn / np.linalg.norm(drawn), point.dtype)
    with tf.GradientTape() as tape:
        tape.watch(point)
        mean = _weighted_mean(function(point))
    gradient = tape.gradient(mean, point)
    derivative = 0.0 if gradient is None else float(tf.reduce_sum(tf.convert_to_tensor(gradient) * direction))
    exact = point.dtype == tf.float64 and mean.dtype == tf.float64
    size = max(1.0, float(tf.norm(point)) / np.sqrt(max(1, drawn.size)))

    def value(distance: float) -> float:
        return float(_weighted_mean(function(point + distance * direction)))

    return slope_error(value, derivative, (1e-5 if exact else 1e-2) * size, 1e-6, 1e-15 if exact else 1e-6)


def leak(function: Callable[[], Any], inputs: list[Any], row: int) -> float:
    """Return the share of other samples in the gradient of one sample's answer; 0 where nothing has a gradient.

    Args:
        function: () -> nested tensors, one row a sample.
        inputs: the tensors that it works on; those of floats with as many rows count.
        row: which sample.
    """
    import keras
    import tensorflow as tf

    floats = [one for one in inputs if one.dtype.is_floating and one.shape.rank]
    with tf.GradientTape() as tape:
        tape.watch(floats)
        outputs = [one for one in keras.tree.flatten(function()) if one.shape.rank and one.dtype.is_floating]
        rows = [tf.cast(one[row], tf.float64) for one in outputs if len(one) > row]
        answer = tf.add_n([tf.reduce_sum(_weighted(one)) for one in rows or [tf.zeros(1, tf.float64)]])
    own = others = 0.0
    for gradient, one in zip(tape.gradient(answer, floats), floats, strict=True):
        if gradient is not None and len(one) > row:
            squares = np.square(np.asarray(tf.convert_to_tensor(gradient), np.float64)).reshape(len(one), -1).sum(1)
            own, others = own + float(squares[row]), others + float(squares.sum() - squares[row])
    return float(np.sqrt(others / (own + others))) if others else 0.0


def _weighted_mean(tensor: Any) -> Any:
    import tensorflow as tf

    return tf.reduce_mean(_weighted(tensor))


def _weighted(tensor: Any) -> Any:
    """Return a tensor times numbers unlike each other, so that outputs that always add up to 1 do not cancel."""
    import tensorflow as tf

    return tensor * tf.constant(np.random.default_rng(0).uniform(1, 2, tuple(tensor.shape)), tensor.dtype)
