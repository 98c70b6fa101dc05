"""A figure whose axes are drawn -> the same with room for their words, without drawing it a second time."""

from __future__ import annotations

import io
from typing import Any

__all__ = ["fit"]

_PAD = 3.5  # points around what belongs together
_LINE = 1.2  # of the size of a font, the height of a line


def fit(figure: Any) -> None:
    """Put a figure's axes side by side, with as much room around each as its words take.

    matplotlib's own engine looks at every word four times, and draws everything once for nothing.

    Args:
        figure: its axes stand from left to right; the width that each was made with is its share of what words leave.
    """
    from matplotlib.backends.backend_svg import RendererSVG

    width, height = figure.bbox.width, figure.bbox.height
    renderer = RendererSVG(width, height, io.StringIO())
    shares = [axes.get_position().width for axes in figure.axes]
    around = [(_beside(axes, renderer), _over_and_under(axes)) for axes in figure.axes]
    legend = sum(one.get_window_extent(renderer).height for one in figure.legends)
    floor = max(under for _, (_, under) in around) + legend + _PAD
    ceiling = height - max(over for _, (over, _) in around) - _PAD
    free = width - sum(before + after + 2 * _PAD for (before, after), _ in around)
    left = _PAD
    for axes, share, ((before, after), _) in zip(figure.axes, shares, around, strict=True):
        inner = free * share
        place = ((left + before) / width, floor / height, inner / width, (ceiling - floor) / height)
        axes.set_position(place)
        left += before + inner + after + 2 * _PAD


def _beside(axes: Any, renderer: Any) -> tuple[float, float]:
    """Return the points that words take to the left and to the right."""
    words = _widest(axes.yaxis, renderer) + _PAD + _label(axes.yaxis)
    over_the_end = _widest(axes.xaxis, renderer) / 2
    return (over_the_end, words) if axes.yaxis.get_ticks_position() == "right" else (words, over_the_end)


def _over_and_under(axes: Any) -> tuple[float, float]:
    """Return the points that words take above and below."""
    under = _LINE * _size(axes.xaxis) + _PAD + _label(axes.xaxis) if len(axes.get_xticks()) else 0.0
    flags = max((_LINE * text.get_fontsize() + 2 * _PAD for text in axes.texts), default=0.0)
    title = _LINE * axes.title.get_fontsize() if axes.get_title("left") else 0.0
    return flags + title + _PAD, under


def _widest(axis: Any, renderer: Any) -> float:
    """Return the width of the widest of an axis's words, which is one of the longest."""
    font = axis.label.get_fontproperties().copy()
    font.set_size(_size(axis))
    words = sorted(axis.get_major_formatter().format_ticks(axis.get_majorticklocs()), key=len)[-3:]
    return max((float(renderer.get_text_width_height_descent(one, font, False)[0]) for one in words), default=0.0)


def _size(axis: Any) -> float:
    return float(axis.get_major_ticks(1)[0].label1.get_fontsize())


def _label(axis: Any) -> float:
    return _LINE * float(axis.label.get_fontsize()) + axis.labelpad if axis.get_label_text() else 0.0
