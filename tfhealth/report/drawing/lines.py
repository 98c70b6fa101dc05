"""Curves over steps, with bands, flags, and the range of further sites -> a matplotlib figure."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfhealth.report.chart import Line, Lines, drawable, extent
from tfhealth.report.drawing.frame import Frame, Side
from tfhealth.report.drawing.ink import DASHES, INK, PALETTE, draw_bands, marks, shown

__all__ = ["HEIGHT", "draw_lines"]

HEIGHT = 2.1  # inches
_LETTER = 5.5  # points, with room for the line before it
_CROSSES = 30  # of one curve, for what is not finite


def draw_lines(figure: Any, chart: Lines) -> list[Frame]:
    """Draw curves, the limits across, and a flag at each step that is marked."""
    entries = [line.label for line in chart.lines] + ([] if chart.rest is None else [chart.rest[3]])
    legend = len(entries) > 1
    columns = 2 if max(map(len, entries), default=0) * _LETTER < figure.bbox.width / 2 else 1
    figure.set_figheight(HEIGHT + (0.1 + 0.17 * -(-len(entries) // columns) if legend else 0))
    frame = Frame(figure)
    axes, (low, high), (first, last) = frame.axes, extent(chart), _span(chart)
    if chart.log:
        axes.set_yscale("log")
    if chart.log_across:
        axes.set_xscale("log")
    axes.set_ylim(low, high)
    axes.set_xlim(first, last)
    frame.up = Side(*marks(low, high, chart.log), grid=True)
    across = marks(first, last, log=True) if chart.log_across else _steps(first, last)
    frame.across = Side(*across, chart.across, grid=True)
    label = chart.label if legend else f"{chart.label} at {chart.lines[0].label}"
    axes.set_title(shown(label), pad=18 if chart.flags else 6)
    draw_bands(axes, chart.bands, low, high, upright=False)
    if chart.rest is not None:
        steps, lowest, highest, label = chart.rest
        inside = np.clip(lowest, low, high), np.clip(highest, low, high)
        axes.fill_between(steps, *inside, color="#9aa5b1", alpha=0.35, linewidth=0, label=shown(label))
    for place, line in enumerate(chart.lines):
        _curve(axes, line, place, low)
    _flags(axes, chart)
    if legend:
        figure.legend(loc="lower center", ncols=columns, handlelength=2.4, columnspacing=1.6)
    return [frame]


def _steps(first: float, last: float) -> tuple[list[float], list[str]]:
    """Return round steps between two, and their words."""
    places = [one for one in marks(first, last, most=6)[0] if one == round(one)]
    return places, [f"{one:,.0f}" for one in places]


def _span(chart: Lines) -> tuple[float, float]:
    """Return the first and the last step on the chart, a little apart from its edges."""
    ends = [float(end) for line in chart.lines if len(line.steps) for end in (line.steps.min(), line.steps.max())]
    ends += [flag.step for flag in chart.flags]
    if chart.log_across:
        ends = [one for one in ends if one > 0] or [1.0]
        return min(ends) / 1.3, max(ends) * 1.3
    first, last = (min(ends), max(ends)) if ends else (0, 1)
    margin = max((last - first) * 0.02, 0.5)
    return float(first - margin), float(last + margin)


def _curve(axes: Any, line: Line, place: int, floor: float) -> None:
    """Draw one curve; what is not finite stands as crosses at the upper edge, what a log axis lacks at the lower."""
    hue = place if line.hue is None else line.hue
    color = PALETTE[hue % len(PALETTE)]
    finite = drawable(line.values)
    values = np.where(finite, np.maximum(line.values, floor), np.nan)
    look: dict[str, Any] = {"color": color, "label": shown(line.label), "linewidth": 1.4}
    if line.style == "faint":
        look |= {"linewidth": 0.8, "alpha": 0.55}
    if line.style in ("epoch", "other") or finite.sum() < 3:
        look |= {"marker": "o", "markersize": 3.2}
    look["linestyle"] = DASHES[3] if line.style == "other" else DASHES[hue % len(DASHES)]
    axes.plot(line.steps, values, **look)
    broken = line.steps[~finite]
    broken = broken[:: max(len(broken) // _CROSSES, 1)]
    height = np.full(len(broken), 0.97 - 0.05 * (place % 6))
    axes.plot(broken, height, "x", color=color, markersize=4, transform=axes.get_xaxis_transform(), zorder=5)


def _flags(axes: Any, chart: Lines) -> None:
    """Mark steps by an upright line with its text above the chart."""
    scale = np.log10 if chart.log_across else np.float64
    first, last = (scale(end) for end in axes.get_xlim())
    places = [float((scale(flag.step) - first) / (last - first)) for flag in chart.flags]
    for flag, place in zip(chart.flags, places, strict=True):
        side = "center" if 0.1 < place < 0.9 else "left" if place < 0.5 else "right"
        near = [other for other in places if other != place and abs(other - place) < 0.15]
        if near and chart.log_across:  # texts side by side rather than one over the other
            side = "right" if place < near[0] else "left"
        axes.axvline(flag.step, color=INK, linewidth=0.8, linestyle=(0, (1, 1.5)), zorder=4)
        axes.annotate(
            shown(flag.text),
            (flag.step, 1.0),
            (0, 3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha=side,
            va="bottom",
            fontsize=7.5,
            color=INK,
            bbox={"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": INK, "linewidth": 0.7},
        )
