"""The shape of a variable -> the rows that its statistics are computed from, where it is too large to read whole."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tfhealth.series import Ints

__all__ = ["LARGE", "SAMPLE", "sampled_rows"]

LARGE = 1 << 24
"""Elements above which a variable is sampled: reading it whole, before and after each update, would copy it twice."""

SAMPLE = 1 << 20
"""Elements that a sample has at most, but for a single row that has more."""


def sampled_rows(shape: Sequence[int]) -> Ints | None:
    """Return evenly spaced indices into the first axis, int64[n]; None for a variable that is read whole."""
    size = math.prod(shape)
    if size <= LARGE:
        return None
    rows = max(1, SAMPLE * shape[0] // size)
    return np.arange(rows, dtype=np.int64) * shape[0] // rows
