"""Rows that several replicas wrote at the same steps -> the row of all of them, and where their weights differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from tfhealth.capture.rows import Layout
from tfhealth.series import Floats, Site
from tfhealth.statistics import SUMS

__all__ = ["apart", "pooled"]

_SHARED = ("gradient", "update", "weight")  # sites that are the same on every replica
_ROUNDING = 1e-6  # relative difference of two sums over the same values


def pooled(layout: Layout, rows: Floats) -> Floats:
    """Make one row of those of R replicas, as `Sum.combine` says: float64[R, n, columns] -> float64[n, columns]."""
    together: Floats = rows[0].copy()
    if len(rows) == 1:
        return together
    sums = SUMS | {one.own.name: one.own for _, one in layout.wanted if one.own is not None}
    place = {column: index for index, column in enumerate(layout.columns)}
    with np.errstate(all="ignore"):
        for index, (site, name) in enumerate(layout.columns):
            if site.kind in _SHARED:
                continue
            how = sums[name].combine
            together[:, index] = _about_mean(place, rows, site) if how == "pooled" else _COMBINE[how](rows[..., index])
    return together


def _about_mean(place: Mapping[tuple[Site, str], int], rows: Floats, site: Site) -> Floats:
    """Return Σ(x − mean)² about the mean of all replicas from the sums about the mean of each."""
    sums, counts, squares = (rows[..., place[site, name]] for name in ("sum", "count", "centered_square_sum"))
    shift = sums / np.maximum(counts, 1) - sums.sum(0) / np.maximum(counts.sum(0), 1)
    return np.asarray((squares + counts * shift**2).sum(0))


def apart(layout: Layout, rows: Floats) -> NDArray[np.bool_]:
    """Tell where replicas hold different weights: float64[R, n, columns] -> bool[n, columns]."""
    weights = np.array([site.kind == "weight" and name == "square_sum" for site, name in layout.columns])
    with np.errstate(all="ignore"):
        return np.asarray(weights & (rows.max(0) - rows.min(0) > _ROUNDING * np.abs(rows[0])))


_COMBINE: dict[str, Callable[[Floats], Floats]] = {  # float64[R, n] -> float64[n]
    "sum": lambda values: values.sum(0),
    "min": lambda values: values.min(0),
    "max": lambda values: values.max(0),
    "mean": lambda values: values.mean(0),
}
