"""Series -> one number, or one number a window: the ways in which a condition can look at what was measured."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tfhealth.derive import ragged
from tfhealth.series import Floats, Ints

__all__ = ["AT_END", "LOOKS", "START", "look", "rolling"]

START = 5
"""Probes that stand for "the start"."""

_FEW = 3  # values that a mean is made of, so that its standard error means something

_CELLS = 1 << 20  # values that are looked at in one go: windows overlap, so they take more room than the series


def _last(rows: Floats) -> Floats:
    length = ragged.lengths(rows)
    count = np.minimum(length, np.clip(length // 10, 3, 20))
    return ragged.median(ragged.part(rows, length - count, count))


def _ends(rows: Floats) -> tuple[Floats, Floats, Ints]:
    """Return the first and the last quarter of the values, at least 5 and at most 50 of them, and how many."""
    length = ragged.lengths(rows)
    count = np.clip(length // 4, np.minimum(5, length // 2), 50)
    return ragged.part(rows, np.zeros_like(count), count), ragged.part(rows, length - count, count), count


def _change(rows: Floats) -> Floats:
    head, tail, count = _ends(rows)
    start = ragged.median(ragged.part(head, np.zeros_like(count), np.minimum(count, START + 1)))
    return (ragged.median(tail) - start) / np.maximum(np.abs(start), 1e-12)


def _noise(rows: Floats) -> Floats:
    """Return the standard deviation about the trend: differences of neighbors have E|Δ|² = 2σ², whatever the trend."""
    return np.asarray(_step_size(rows) / (np.sqrt(2) * 0.6745))


def _step_size(rows: Floats) -> Floats:
    return ragged.median(np.abs(np.diff(rows, append=np.nan)))


def _trend(rows: Floats) -> Floats:
    """Return (mean of the end − mean of the start) / its standard error, from differences of neighbors."""
    head, tail, count = _ends(rows)
    start = ragged.mean(head)
    found = (ragged.mean(tail) - start) / _at_least(_noise(rows) * np.sqrt(2 / count), start)
    return np.where(count < _FEW, np.nan, found)


def _late(rows: Floats) -> Floats:
    length = ragged.lengths(rows)
    return ragged.part(rows, length // 2, length - length // 2)


def _uncertainty(rows: Floats) -> Floats:
    head, _, count = _ends(rows)
    found = _noise(rows) * np.sqrt(2 / count) / np.maximum(np.abs(ragged.mean(head)), 1e-12)
    return np.where(count < _FEW, np.nan, found)


def _swing(rows: Floats) -> Floats:
    return np.asarray(_step_size(rows) / np.maximum(np.abs(ragged.median(rows)), 1e-12))


def _lowest(rows: Floats) -> tuple[Floats, Floats, Ints]:
    """Return the lowest mean of so many values in a row as `_ends` takes, where the end is, and how many.

    The end is the mean of the last so many, or the last one where that is lower: what has come back is no rebound.
    """
    _, tail, count = _ends(rows)
    width = rows.shape[1]
    sums = np.zeros(rows.shape)  # of so many values from each place on; NaN where there are not as many
    for ahead in range(int(count.max(initial=0))):
        moved = np.pad(rows[:, ahead:], ((0, 0), (0, min(ahead, width))), constant_values=np.nan)
        sums += np.where(ahead < count[:, None], moved, 0.0)
    lowest = np.fmin.reduce(sums / count[:, None], axis=1)
    final = ragged.mean(ragged.part(rows, np.maximum(ragged.lengths(rows) - 1, 0), np.ones_like(count)))
    return np.where(count < _FEW, np.nan, lowest), np.fmin(ragged.mean(tail), final), count


def _rebound(rows: Floats) -> Floats:
    lowest, end, _ = _lowest(rows)
    return np.asarray((end - lowest) / np.maximum(np.abs(lowest), 1e-12))


def _rebound_trend(rows: Floats) -> Floats:
    lowest, end, count = _lowest(rows)
    return np.asarray((end - lowest) / _at_least(_noise(rows) * np.sqrt(2 / count), lowest))


def _at_least(error: Floats, size: Floats) -> Floats:
    """Return a standard error that is not 0 where all values are alike."""
    return np.asarray(np.maximum(error, 1e-9 * np.maximum(np.abs(size), 1e-12)))


LOOKS: dict[str, tuple[Callable[[Floats], Floats] | None, str]] = {
    "each": (None, "every value by itself"),
    "first": (lambda rows: rows[:, 0], "the first value"),
    "last": (_last, "the median of the last tenth, 3 to 20 values"),
    "mean": (ragged.mean, "the mean of all values"),
    "median": (ragged.median, "the median of all values"),
    "minimum": (lambda rows: np.fmin.reduce(rows, axis=1), "the smallest value"),
    "maximum": (lambda rows: np.fmax.reduce(rows, axis=1), "the largest value"),
    "change": (_change, "median of the end minus median of the start, over the latter's absolute value"),
    "trend": (_trend, "mean of the end minus mean of the start, in standard errors of that difference"),
    "late_change": (lambda rows: _change(_late(rows)), "change of the second half of the values"),
    "late_trend": (lambda rows: _trend(_late(rows)), "trend of the second half of the values"),
    "uncertainty": (_uncertainty, "that standard error over the size of the start"),
    "swing": (_swing, "median size of the change from one value to the next, over the size of the median"),
    "rebound": (
        _rebound,
        "mean of the end minus the lowest mean of as many in a row, over its size; a lower last value is the end",
    ),
    "rebound_trend": (_rebound_trend, "the same difference in standard errors of it"),
}
"""How a condition looks at a series: at each value, or at one number made of all of them (rows -> float64[m])."""

AT_END = ("last", "change", "trend", "late_change", "late_trend", "rebound", "rebound_trend")
"""The looks that compare the end with something; what they find is so as of the last step."""


def look(values: Floats, judged: NDArray[np.bool_], how: str) -> Floats:
    """Reduce [S, n] to [S] by the look `how`, over the finite values where `judged`; NaN where there are none."""
    return _reduced(ragged.pack(values, judged & np.isfinite(values)), how)


def rolling(
    values: Floats, judged: NDArray[np.bool_], steps: Ints, how: str, probes: int | None, span: float | None
) -> Floats:
    """Look at the window that ends at each probe, over the finite values in it.

    Args:
        values: float64[S, n].
        judged: bool[S, n]; what is not judged is not in any window and ends none.
        steps: int64[n], ascending.
        how: one of `LOOKS`, not `each`.
        probes: the window has so many finite values; or
        span: the window has the finite values of so many steps, the last one included.

    Returns:
        float64[S, n]: NaN where no window ends, and before as much was seen as a window holds.
    """
    found = np.full(values.shape, np.nan)
    if not values.size:
        return found
    kept = judged & np.isfinite(values)
    seen = np.cumsum(kept, axis=1)
    counts = kept.sum(axis=1)
    origin = (np.cumsum(counts) - counts)[:, None]  # where the values of each site begin among all of them
    if probes is not None:
        full = np.greater_equal(seen, probes)
        begin = np.subtract(seen, probes)
    else:
        assert span is not None
        before = np.searchsorted(steps, steps - span, side="right")
        full = np.greater_equal(_covered(kept, steps), span)
        begin = np.pad(seen, ((0, 0), (1, 0)))[:, before]
    wanted = judged & full & (seen > begin)
    found[wanted] = _windows(values[kept], (origin + begin)[wanted], (seen - begin)[wanted], how)
    return found


def _covered(kept: NDArray[np.bool_], steps: Ints) -> Floats:
    """Return how many steps were seen since each site's first value; that stands for those until the second."""
    first = np.argmax(kept, axis=1)
    rest = kept & (np.arange(kept.shape[1]) > first[:, None])
    second = np.where(rest.any(axis=1), np.argmax(rest, axis=1), first)
    own = np.maximum(steps[second] - steps[first], 1)
    return np.asarray(steps - steps[first][:, None] + own[:, None], np.float64)


def _windows(flat: Floats, start: Ints, count: Ints, how: str) -> Floats:
    """Return what `how` makes of windows of float64[N], a bounded number of them at a time."""
    at_once = max(_CELLS // max(int(count.max(initial=0)), 1), 1)
    found = np.empty(len(start))
    for first in range(0, len(start), at_once):
        some = slice(first, first + at_once)
        found[some] = _reduced(ragged.gather(flat, start[some], count[some]), how)
    return found


def _reduced(rows: Floats, how: str) -> Floats:
    reduce = LOOKS[how][0]
    assert reduce is not None
    with np.errstate(all="ignore"):
        return reduce(rows)
