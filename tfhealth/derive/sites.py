"""Panel -> Panel: many sites reduced to one series, and every series set against its own start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tfhealth.derive import ragged
from tfhealth.derive.looks import START
from tfhealth.series import Floats, Panel, Site

__all__ = ["ACROSS", "REFERENCES", "across", "relative"]

_TINY = 1e-30


def _first_over_last(values: Floats) -> Floats:
    ratio: Floats = np.divide(values[0], values[-1])
    return ratio


def _steepness(values: Floats) -> Floats:
    """Return the least-squares slope of log10(value) over depth, times the depth: decades from first to last."""
    depth = np.arange(len(values), dtype=np.float64)
    logs = np.log10(np.maximum(values, _TINY))  # a signal that is gone altogether has shrunk beyond any limit
    centered = depth - depth.mean()
    slope: Floats = (centered[:, None] * (logs - logs.mean(axis=0))).sum(axis=0) / (centered**2).sum()
    return np.asarray(slope * depth[-1])


def _compound(values: Floats) -> Floats:
    """Return the steepness, or what the median step from site to site comes to where that is less.

    What each layer multiplies with is in every step; one step alone, as a normalization makes it, is no growth.
    """
    logs = np.log10(np.maximum(values, _TINY))
    steady = ragged.median(np.diff(logs, axis=0).T) * (len(values) - 1)
    steep = _steepness(values)
    return np.where(steady * steep > 0, np.sign(steep) * np.minimum(np.abs(steady), np.abs(steep)), 0.0 * steep)


def _skew(values: Floats) -> Floats:
    """Return m₃ / m₂^1.5 of the values at each step; 0 where they are all alike, and so on no side of their mean."""
    centered = values - values.mean(axis=0)
    scale = np.abs(centered).max(axis=0)
    alike = scale <= 1e-12 * np.abs(values).max(axis=0)
    unit = centered / np.where(alike, 1.0, scale)  # far below and above 1, cubes leave what a float can hold
    found = (unit**3).mean(axis=0) / (unit**2).mean(axis=0) ** 1.5
    return np.where(alike, 0.0, found)


def _largest_over_smallest(values: Floats) -> Floats:
    sizes = np.abs(values)
    return np.asarray(sizes.max(axis=0) / np.maximum(sizes.min(axis=0), _TINY))


@dataclass(frozen=True, slots=True)
class _Across:
    """A reduction over the sites of a panel, [S, n] -> [n], that needs `sites` of them to mean something."""

    sites: int
    reduce: Callable[[Floats], Floats]
    doc: str


ACROSS: dict[str, _Across] = {
    "first_over_last": _Across(2, _first_over_last, "the first site's value over the last one's"),
    "decades": _Across(
        4, _steepness, "growth from first to last site in powers of ten, least squares on the logarithm"
    ),
    "compound_decades": _Across(
        4, _compound, "the same as far as it goes on from site to site: no more than the median step makes of it"
    ),
    "largest_over_smallest": _Across(2, _largest_over_smallest, "the largest size over the smallest, signs left out"),
    "skew": _Across(3, _skew, "skewness over sites, m₃ / m₂^1.5; 0 where all are alike"),
    "minimum": _Across(1, lambda values: values.min(axis=0), "the smallest over sites"),
    "maximum": _Across(1, lambda values: values.max(axis=0), "the largest over sites"),
    "mean": _Across(1, lambda values: values.mean(axis=0), "the mean over sites"),
    "median": _Across(1, lambda values: ragged.median(values.T), "the median over sites"),
    "sum": _Across(1, lambda values: values.sum(axis=0), "the sum over sites"),
    "root_square_sum": _Across(1, lambda values: np.sqrt((values**2).sum(axis=0)), "√ of the sum of squares"),
}
"""How sites become one series. NaN at one site is NaN in the result, but for the median, which leaves it out."""


def across(panel: Panel, how: str) -> Panel | None:
    """Reduce a panel over its sites to one, named `first … last`; None where it has too few sites for `how`."""
    reduction = ACROSS[how]
    if len(panel) < reduction.sites:
        return None
    with np.errstate(all="ignore"):
        values = reduction.reduce(np.where(panel.measured, panel.values, np.nan))
    first, last = panel.sites[0], panel.sites[-1]
    name = first.name if first == last else f"{first.name} … {last.name}"
    known = np.atleast_2d(panel.measured.all(axis=0))
    return Panel((Site(first.kind, name),), panel.steps, values[None], known)


def _reference_first(values: Floats, measured: NDArray[np.bool_]) -> Floats:
    first: Floats = values[np.arange(len(values)), np.argmax(measured, axis=1)]
    return first


def _reference_start(values: Floats, measured: NDArray[np.bool_]) -> Floats:
    early = measured & (np.cumsum(measured, axis=1) <= START)
    seen = early.any(axis=0)
    return ragged.median(np.where(early, values, np.nan)[:, seen])


def _reference_extreme(extreme: np.ufunc) -> Callable[[Floats, NDArray[np.bool_]], Floats]:
    """Return the reference that is the lowest or highest of the finite values."""

    def reference(values: Floats, measured: NDArray[np.bool_]) -> Floats:
        return np.asarray(extreme.reduce(np.where(measured & np.isfinite(values), values, np.nan), axis=1))

    return reference


REFERENCES: dict[str, Callable[[Floats, NDArray[np.bool_]], Floats]] = {
    "first": _reference_first,
    "start": _reference_start,
    "lowest": _reference_extreme(np.fmin),
    "highest": _reference_extreme(np.fmax),
}
"""What `relative_to` divides by: the first value, the median of the first five, the lowest or the highest one."""


def relative(panel: Panel, reference: str) -> Panel:
    """Divide every series of a panel by its own reference value."""
    if not len(panel.steps):
        return panel
    with np.errstate(all="ignore"):
        values = panel.values / REFERENCES[reference](panel.values, panel.measured)[:, None]
    return Panel(panel.sites, panel.steps, values, panel.measured)
