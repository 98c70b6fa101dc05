"""Sums of the loss: each is one of its parts, a scalar that the step computed."""

from __future__ import annotations

import tensorflow as tf

from tfhealth.capture.reductions.context import Reduction

__all__ = ["PART_OF", "REDUCTIONS"]

_PARTS = (
    *("total", "data", "regularization", "added", "weight_regularization"),
    *("output", "output_share", "chance", "output_chance"),
    *("scale", "overflow"),
)


def _part(name: str) -> Reduction:
    return lambda context: tf.cast(context.part(name), tf.float32)


REDUCTIONS: dict[str, Reduction] = {name: _part(name) for name in _PARTS}

PART_OF = {name: name for name in _PARTS}
