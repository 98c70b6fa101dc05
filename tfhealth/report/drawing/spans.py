"""A stretch of values a row -> a matplotlib figure of bars that lie."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfhealth.report.chart import Spans
from tfhealth.report.drawing.frame import Frame, Side
from tfhealth.report.drawing.ink import INK, PALETTE, decimal, marks, shown

__all__ = ["draw_spans"]

_DECADES = 6  # of a scale of powers, on each side of 0


def draw_spans(figure: Any, chart: Spans) -> list[Frame]:
    """Draw one row for each name, the first on top."""
    figure.set_figheight(0.75 + 0.15 * len(chart.names))
    frame = Frame(figure)
    axes = frame.axes
    places = np.arange(len(chart.names))
    axes.barh(places, chart.high - chart.low, 0.62, chart.low, color=PALETTE[5], zorder=2)
    if chart.least is not None and chart.most is not None:
        axes.hlines(places, chart.least, chart.most, color=INK, linewidth=0.7, zorder=3)
        axes.plot((chart.low + chart.high) / 2, places, "|", color=INK, markersize=5, zorder=4)
    axes.set_ylim(len(chart.names) - 0.4, -0.6)
    across = _powers(axes, chart) if chart.powers else marks(*axes.get_xlim())
    frame.across = Side(*across, shown(chart.label), grid=True)
    frame.up = Side(places.tolist(), [shown(name) for name in chart.names], size=7)
    return [frame]


def _powers(axes: Any, chart: Spans) -> tuple[list[float], list[str]]:
    """Give the axis powers of ten on both sides of 0, and what is smaller than the smallest of them a linear middle."""
    ends = [one for one in (chart.low, chart.high, chart.least, chart.most) if one is not None]
    sizes = np.abs(np.concatenate(ends))
    top = int(np.ceil(np.log10(sizes.max())))
    low = int(np.clip(np.floor(np.log10(np.percentile(sizes[sizes > 0], 5))), top - _DECADES, top - 1))
    axes.set_xscale("symlog", linthresh=10.0**low)
    positive = [10.0**exponent for exponent in range(low, top + 1)]
    negative = [-one for one in reversed(positive)] if min(one.min() for one in ends) < 0 else []
    first, last = axes.get_xlim()
    places = [one for one in (*negative, 0.0, *positive) if first <= one <= last]
    return places, [decimal(one).replace("e+0", "e") for one in places]
