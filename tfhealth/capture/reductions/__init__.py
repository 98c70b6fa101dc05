"""A tensor -> the sums that statistics are made of: one function a sum, on the device."""

from __future__ import annotations

from typing import Any

from tfhealth.capture.reductions import inputs, loss, outputs, running, tensors, variables
from tfhealth.capture.reductions.context import Context, Reduction
from tfhealth.capture.reductions.foreign import SCOPE, effects_of, foreign, traced
from tfhealth.capture.reductions.inputs import joint
from tfhealth.capture.reductions.outputs import CUMULATIVE
from tfhealth.capture.reductions.tensors import flat_outside
from tfhealth.statistics import Sum

__all__ = [
    "CUMULATIVE",
    "HALVED",
    "PART_OF",
    "REDUCTIONS",
    "SCOPE",
    "TOGETHER",
    "Context",
    "effects_of",
    "flat_outside",
    "joint",
    "reduced",
    "together",
    "traced",
]

_TOPICS = (tensors, variables, inputs, outputs, loss, running)

REDUCTIONS: dict[str, Reduction] = {name: one for topic in _TOPICS for name, one in topic.REDUCTIONS.items()}

HALVED = tensors.HALVED | variables.HALVED
"""Sums of squares: the device computes the half of each, and the host makes it whole."""

TOGETHER = tensors.TOGETHER | variables.TOGETHER
"""Sums that are computed for several sites at once: contexts -> float32 [sites]."""

PART_OF: dict[str, str] = {name: part for topic in _TOPICS for name, part in topic.PART_OF.items()}
"""The part of its context that a sum needs."""


def together(name: str, context: Context) -> bool:
    """Tell whether a sum of a tensor is computed together with those of other sites."""
    return name in TOGETHER and (context.short or name not in tensors.SHORT)


def reduced(one: Sum, context: Context) -> Any:
    """Return a sum of a tensor: by the function that a package brings along, float32, or by ours, a `Reduction`."""
    return REDUCTIONS[one.name](context) if one.reduce is None else foreign(one.reduce, context)
