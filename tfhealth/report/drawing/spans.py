"""A stretch of values a row -> a matplotlib figure of bars that lie."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfhealth.report.chart import Spans
from tfhealth.report.drawing.ink import GRID, INK, PALETTE, shown, ticks

__all__ = ["draw_spans"]

_DECADES = 6  # of a scale of powers, on each side of 0


def draw_spans(figure: Any, chart: Spans) -> None:
    """Draw one row for each name, the first on top."""
    figure.set_figheight(0.75 + 0.15 * len(chart.names))
    axes = figure.add_axes((0, 0, 1, 1))
    places = np.arange(len(chart.names))
    axes.barh(places, chart.high - chart.low, 0.62, chart.low, color=PALETTE[5], zorder=2)
    if chart.least is not None and chart.most is not None:
        axes.hlines(places, chart.least, chart.most, color=INK, linewidth=0.7, zorder=3)
        axes.plot((chart.low + chart.high) / 2, places, "|", color=INK, markersize=5, zorder=4)
    if chart.powers:
        _powers(axes, chart)
    else:
        ticks(axes.xaxis, log=False)
    axes.set_yticks(places, [shown(name) for name in chart.names], fontsize=7)
    axes.set_ylim(len(chart.names) - 0.4, -0.6)
    axes.set_xlabel(shown(chart.label))
    axes.grid(axis="x", color=GRID, linewidth=0.6, clip_on=False)
    axes.set_axisbelow(True)


def _powers(axes: Any, chart: Spans) -> None:
    """Give the axis powers of ten on both sides of 0, and what is smaller than the smallest of them a linear middle."""
    from matplotlib.ticker import FixedLocator, FuncFormatter

    ends = [one for one in (chart.low, chart.high, chart.least, chart.most) if one is not None]
    sizes = np.abs(np.concatenate(ends))
    top = int(np.ceil(np.log10(sizes.max())))
    low = int(np.clip(np.floor(np.log10(np.percentile(sizes[sizes > 0], 5))), top - _DECADES, top - 1))
    axes.set_xscale("symlog", linthresh=10.0**low)
    positive = [10.0**exponent for exponent in range(low, top + 1)]
    negative = [-one for one in reversed(positive)] if min(one.min() for one in ends) < 0 else []
    axes.xaxis.set_major_locator(FixedLocator([*negative, 0.0, *positive]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.4g}".replace("-", "−").replace("e+0", "e")))
    axes.xaxis.set_minor_locator(FixedLocator([]))
