"""Bins that are the same for every tensor and every step -> histograms that add up over replicas and compare over time.

A tensor's values fall into bins of sign and size: four to a power of ten from 1e-8 to 1e4 on each side of 0, one for
what is closer to 0, and one for NaN and Inf. Sizes below and above go to the outermost bins.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tfhealth.series import Floats, Ints, Site

__all__ = [
    "BINS",
    "DECADES",
    "FINITE",
    "KINDS",
    "PER_DECADE",
    "SIDE",
    "SMALLEST",
    "Histogram",
    "decoded",
    "edges",
    "over_steps",
]

KINDS = ("weight", "gradient", "update", "activation")
"""The kinds of site that a histogram can be taken of."""

PER_DECADE = 4
SMALLEST = -8
DECADES = 12
SIDE = PER_DECADE * DECADES
"""Bins of one sign."""

FINITE = 2 * SIDE + 1
BINS = FINITE + 1
"""Bins of finite values, and with the one of NaN and Inf."""

_LARGEST = 1e18


@dataclass(frozen=True, eq=False)
class Histogram:
    """The values of one tensor at a few steps.

    Attributes:
        steps: int64[n], ascending.
        counts: float64[n, BINS]: negative values from large to small, values around 0, positive ones from small to
            large, and last what is not finite.
    """

    steps: Ints
    counts: Floats


def edges() -> Floats:
    """Return the sizes between which the bins of one sign lie, float64[SIDE + 1], ascending."""
    return 10.0 ** (SMALLEST + np.arange(SIDE + 1) / PER_DECADE)


def decoded(kind: str, name: str, step: int, data: bytes) -> tuple[Site, int, Floats]:
    """Return a site, a step and its counts, float64[BINS], from a file.

    Raises:
        ValueError, TypeError: they are none.
    """
    counts = np.frombuffer(data, "<f8")
    legal = (counts >= 0) & (counts < _LARGEST)
    if kind not in KINDS or not isinstance(step, int) or len(counts) != BINS or not legal.all():
        raise ValueError("no histogram of ours")
    return Site(kind, str(name)), step, counts


def over_steps(found: Iterable[tuple[Site, int, Floats]]) -> dict[Site, Histogram]:
    """Return the histograms of each site in the order of their steps; of two at one step the later one counts."""
    points: dict[Site, dict[int, Floats]] = defaultdict(dict)
    for site, step, counts in found:
        points[site][step] = counts
    return {
        site: Histogram(np.array(sorted(known), np.int64), np.array([known[step] for step in sorted(known)]))
        for site, known in points.items()
    }
