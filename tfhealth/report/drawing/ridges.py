"""Histograms over steps -> a matplotlib figure of ridges, one panel for each kind of tensor."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfhealth.histograms import DECADES, PER_DECADE, SIDE, SMALLEST
from tfhealth.report.chart import Ridges
from tfhealth.report.drawing.frame import Frame, Side
from tfhealth.series import Floats

__all__ = ["draw_ridges"]

_FILL, _LINE = "#9ecae1", "#0072b2"
_OVERLAP = 1.5  # of the distance between two ridges, the height of the highest one
_CLIPPED = 2.0  # of a bin that would dwarf the others: zeros behind a relu
_EMPTY = 2  # bins of a sign that does not occur
_ROOM = 0.19  # of the width of a panel, for a word below it


def draw_ridges(figure: Any, chart: Ridges) -> list[Frame]:
    """Draw one panel beside the other; time runs down."""
    most = max(len(steps) for _, steps, _ in chart.panels)
    figure.set_figheight(float(np.clip(0.9 + 0.19 * most, 1.5, 3.4)))
    frames: list[Frame] = []
    for title, steps, shares in chart.panels:
        frame = Frame(figure, 1 / max(len(chart.panels), 2))
        axes = frame.axes
        first, last = _sizes_used(shares)
        shown = _without_the_rest(shares, first, last)
        bins = np.arange(shown.shape[1]) - shown.shape[1] // 2
        scale = _OVERLAP / _highest(shown)
        for row in range(len(steps)):
            base = float(len(steps) - row)
            top = base + np.minimum(shown[row] * scale, _CLIPPED)
            axes.fill_between(bins, base, top, step="mid", color=_FILL, linewidth=0, alpha=0.8, zorder=row)
            axes.step(bins, top, where="mid", color=_LINE, linewidth=0.6, zorder=row)
        axes.set_title(title)
        left, right = _ends(shown)
        axes.set_xlim(left - 0.5, right + 0.5)
        axes.set_ylim(0.9, len(steps) + _CLIPPED)
        axes.spines["left"].set_visible(False)
        words = [f"{step:,}" for step in steps]
        frame.up = Side(range(len(steps), 0, -1), words, "" if frames else "step", size=6.5)
        frame.across = Side(*_sizes(first, last, left, right), size=6)
        frames.append(frame)
    return frames


def _sizes_used(shares: Floats) -> tuple[int, int]:
    """Return the first and the last bin of one sign between which nearly all lies that is not 0."""
    both = shares[:, SIDE + 1 :].sum(0) + shares[:, SIDE - 1 :: -1].sum(0)
    if not both.any():
        return 0, SIDE - 1
    below = np.cumsum(both) / both.sum()
    return max(int(np.searchsorted(below, 0.005)) - 1, 0), min(int(np.searchsorted(below, 0.9999)) + 2, SIDE - 1)


def _without_the_rest(shares: Floats, first: int, last: int) -> Floats:
    """Return the bins of both signs from `first` to `last`, and in the middle one all that is smaller."""
    positive, negative = shares[:, SIDE + 1 :], shares[:, SIDE - 1 :: -1]
    around = shares[:, SIDE] + positive[:, :first].sum(1) + negative[:, :first].sum(1)
    inside = slice(first, last + 1)
    return np.concatenate([negative[:, inside][:, ::-1], around[:, None], positive[:, inside]], 1)


def _highest(shares: Floats) -> float:
    """Return what the highest ridge rises to; where one bin dwarfs the rest, as zeros behind a relu, less than that."""
    filled = shares[shares > 0]
    return float(min(shares.max(), 6 * np.median(filled))) if len(filled) else 1.0


def _ends(shown: Floats) -> tuple[int, int]:
    """Return the outermost bins to show, counted from the middle one; of a sign that does not occur only a few."""
    half = shown.shape[1] // 2
    return -half if shown[:, :half].any() else -_EMPTY, half if shown[:, half + 1 :].any() else _EMPTY


def _sizes(first: int, last: int, left: int, right: int) -> tuple[list[float], list[str]]:
    """Return the places of 0, and on both sides of it of powers of ten whose words have room, and the words."""
    room = _ROOM * (right - left)
    marks = {0.0: "0"}
    reached = 0.0
    for decade in range(DECADES):
        away, exponent = decade * PER_DECADE - first + 0.5, decade + SMALLEST
        if away - reached < room or away > last - first + 1:
            continue
        reached = away
        size = f"1e{exponent}" if abs(exponent) > 1 else f"{10.0**exponent:g}"
        marks |= {away: size, -away: f"−{size}"}
    inside = [place for place in marks if left - 1 <= place <= right + 1]
    return inside, [marks[place] for place in inside]
