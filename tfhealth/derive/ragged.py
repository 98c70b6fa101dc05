"""Rows of unequal length -> one number a row: they lie left in float64[m, L], with NaN behind them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tfhealth.series import Floats, Ints

__all__ = ["gather", "lengths", "mean", "median", "pack", "part"]

_FEW = 4  # different places of a median, up to which it pays not to sort


def pack(values: Floats, keep: NDArray[np.bool_]) -> Floats:
    """Move what is kept of float64[S, n] to the left of its row; the result is at least one column wide.

    Where all is kept, which is most often so, it is `values` itself: not to be written to.
    """
    if values.shape[1] and keep.all():
        return values
    counts = keep.sum(axis=1)
    rows = np.full((len(values), max(int(counts.max(initial=0)), 1)), np.nan)
    rows[np.arange(rows.shape[1]) < counts[:, None]] = values[keep]
    return rows


def gather(flat: Floats, start: Ints, count: Ints) -> Floats:
    """Return `count`, int64[m], values of float64[N] from `start`, int64[m], on as rows."""
    columns = np.arange(max(int(count.max(initial=0)), 1))
    places = np.minimum(start[:, None] + columns, len(flat) - 1)
    return np.where(columns < count[:, None], flat[places], np.nan)


def part(rows: Floats, start: Ints, count: Ints) -> Floats:
    """Return `count`, int64[m], columns of each row from `start`, int64[m], on."""
    width = rows.shape[1]
    return gather(rows.ravel(), np.arange(len(rows)) * width + start, count)


def lengths(rows: Floats) -> Ints:
    """Return how many values each row has, int64[m]."""
    return np.asarray((~np.isnan(rows)).sum(axis=1), np.int64)


def mean(rows: Floats) -> Floats:
    """Return the mean of each row; NaN for an empty one."""
    return np.asarray(np.where(np.isnan(rows), 0.0, rows).sum(axis=1) / lengths(rows))


def median(rows: Floats) -> Floats:
    """Return the median of each row, wherever its NaN stand; NaN for an empty one."""
    count = lengths(rows)
    middle = np.stack([np.maximum(count - 1, 0) // 2, np.minimum(count // 2, rows.shape[1] - 1)], axis=1)
    places = np.unique(middle)
    # NaN goes last, also where rows are sorted only as far as their middles need it.
    ordered = np.sort(rows, axis=1) if len(places) > _FEW else np.partition(rows, places, axis=1)
    return np.asarray(np.take_along_axis(ordered, middle, axis=1).sum(axis=1) / 2)
