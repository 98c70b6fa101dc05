"""A tensor -> the sums that statistics are made of: one function a sum, on the device, in float32."""

from __future__ import annotations

from typing import Any

from tfhealth.capture.reductions import inputs, loss, outputs, tensors, variables
from tfhealth.capture.reductions.context import Context, Reduction
from tfhealth.capture.reductions.foreign import SCOPE, foreign, traced
from tfhealth.capture.reductions.outputs import CUMULATIVE
from tfhealth.capture.reductions.tensors import flat_outside
from tfhealth.statistics import Sum

__all__ = ["CUMULATIVE", "PART_OF", "REDUCTIONS", "SCOPE", "Context", "flat_outside", "reduced", "traced"]

_TOPICS = (tensors, variables, inputs, outputs, loss)

REDUCTIONS: dict[str, Reduction] = {name: one for topic in _TOPICS for name, one in topic.REDUCTIONS.items()}

PART_OF: dict[str, str] = {name: part for topic in _TOPICS for name, part in topic.PART_OF.items()}
"""The part of its context that a sum needs."""


def reduced(one: Sum, context: Context) -> Any:
    """Return a sum of a tensor, float32 scalar: by the function that a package brings along, or by ours."""
    return REDUCTIONS[one.name](context) if one.reduce is None else foreign(one.reduce, context)
