"""Repeated measurements -> an interval that holds their mean with a confidence of 95 %."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tfhealth.series import Floats

__all__ = ["half_width", "interval"]

# Student's t, two-sided 95 %, at 1, 2, 3 … degrees of freedom.
_T = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)


def half_width(values: Sequence[float] | Floats) -> float:
    """Return half the width of the 95 % interval of the mean, by Student's t; infinite for a single value.

    Args:
        values: float[n], independent of each other.
    """
    degrees = len(values) - 1
    if degrees < 1:
        return math.inf
    t = _T[degrees - 1] if degrees <= len(_T) else 1.96 + 2.7 / degrees
    return t * float(np.std(values, ddof=1)) / math.sqrt(len(values))


def interval(values: Sequence[float] | Floats) -> tuple[float, float]:
    """Return the lower and the upper end of the 95 % interval of the mean of float[n]."""
    mean, half = float(np.mean(values)), half_width(values)
    return mean - half, mean + half
