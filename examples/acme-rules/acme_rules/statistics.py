"""Statistics that Acme's rules measure beside the built-in ones."""

from __future__ import annotations

from typing import Any

from tfhealth.statistics import statistic

__all__ = ["near_zero_fraction"]


@statistic("weight", doc="share of elements below 1e-6 in size", unit="share", legal=(0.0, 1.0))
def near_zero_fraction(tensor: Any) -> Any:
    """Return the share of a variable's elements, float32 of any shape, that are as good as gone."""
    import tensorflow as tf  # here, so that judging a recorded run does not load it

    return tf.reduce_mean(tf.cast(tf.abs(tensor) < 1e-6, tf.float32))
