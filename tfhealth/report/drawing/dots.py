"""One value a site, or two -> a matplotlib figure of dots."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfhealth.report.chart import Dots, Line, Lines, drawable, extent
from tfhealth.report.drawing.frame import Frame, Side
from tfhealth.report.drawing.ink import LIMIT, PALETTE, draw_bands, marks, shown
from tfhealth.series import Floats

__all__ = ["draw_dots"]


def draw_dots(figure: Any, chart: Dots) -> list[Frame]:
    """Draw one row a site, its limits upright."""
    figure.set_figheight(0.8 + 0.19 * len(chart.names) + (0.2 if chart.legend else 0))
    frame = Frame(figure)
    axes = frame.axes
    everything = chart.values if chart.after is None else np.concatenate([chart.values, chart.after])
    line = Line("", np.arange(len(everything)), everything)
    low, high = extent(Lines((line,), "", chart.log, chart.bands))
    if chart.log:
        axes.set_xscale("log")
    axes.set_xlim(low, high)
    draw_bands(axes, chart.bands, low, high, upright=True)
    names = chart.legend or ("", "")
    _marks(axes, chart.values, (low, high), {"marker": "o", "color": PALETTE[0], "markersize": 5, "label": names[0]})
    if chart.after is not None:
        look = {"marker": "D", "color": PALETTE[1], "markersize": 4, "fillstyle": "none", "label": names[1]}
        _marks(axes, chart.after, (low, high), look)
    if chart.legend:
        figure.legend(loc="lower center", ncols=2)
    axes.set_ylim(len(chart.names) - 0.5, -0.5)
    frame.across = Side(*marks(low, high, chart.log), shown(chart.label), grid=True)
    frame.up = Side(range(len(chart.names)), [shown(name) for name in chart.names], size=7, grid=True)
    return [frame]


def _marks(axes: Any, values: Floats, ends: tuple[float, float], look: dict[str, Any]) -> None:
    """Draw one mark a row; what is not finite stands as a cross at the right edge."""
    finite, places = drawable(values), np.arange(len(values))
    axes.plot(np.clip(values[finite], *ends), places[finite], linestyle="", **look)
    edge = np.full(int((~finite).sum()), 0.98)
    axes.plot(edge, places[~finite], "x", color=LIMIT, transform=axes.get_yaxis_transform())
