"""Sums of the loss: each is one of its parts, a scalar that the step computed or a number known before."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfhealth.capture.reductions.context import Context, Reduction

__all__ = ["PART_OF", "REDUCTIONS"]

_PARTS = (
    *("total", "data", "regularization", "added", "weight_regularization"),
    *("output", "output_share", "chance", "output_chance"),
    *("scale", "overflow"),
)


def _part(name: str) -> Reduction:
    def part(context: Context) -> Any:
        value = context.part(name)
        return value if isinstance(value, float) else tf.cast(value, tf.float32)

    return part


REDUCTIONS: dict[str, Reduction] = {name: _part(name) for name in _PARTS}

PART_OF = {name: name for name in _PARTS}
