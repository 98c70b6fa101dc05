"""A figure whose axes are drawn -> the same with room for their words, without drawing it a second time."""

from __future__ import annotations

import io
from typing import Any

__all__ = ["fit"]

_PAD = 3.5  # points around what belongs together


def fit(figure: Any, *texts: Any) -> None:
    """Put a figure's axes side by side, with as much room around each as its words take.

    matplotlib's own engine looks at every word four times, and draws everything once for nothing.

    Args:
        figure: its axes stand from left to right; the width that each was made with is its share of what words leave.
        texts: what else of the axes needs room.
    """
    from matplotlib.backends.backend_svg import RendererSVG

    width, height = figure.bbox.width, figure.bbox.height
    renderer = RendererSVG(width, height, io.StringIO())
    shares = [axes.get_position().width for axes in figure.axes]
    around = [_around(axes, texts, renderer) for axes in figure.axes]
    legend = sum(one.get_window_extent(renderer).height for one in figure.legends)
    floor = max(bottom for _, bottom, _, _ in around) + legend + _PAD
    ceiling = height - max(top for *_, top in around) - _PAD
    left = _PAD
    free = width - sum(before + after + 2 * _PAD for before, _, after, _ in around)
    for axes, share, (before, _, after, _) in zip(figure.axes, shares, around, strict=True):
        inner = free * share
        place = ((left + before) / width, floor / height, inner / width, (ceiling - floor) / height)
        axes.set_position(place)
        left += before + inner + after + 2 * _PAD


def _around(axes: Any, texts: tuple[Any, ...], renderer: Any) -> tuple[float, float, float, float]:
    """Return how far words reach beyond axes to the left, the bottom, the right and the top, in points."""
    inner = axes.get_window_extent(renderer)
    own = [text for text in texts if text.axes is axes]
    outer = axes.get_tightbbox(renderer, bbox_extra_artists=own)
    return inner.x0 - outer.x0, inner.y0 - outer.y0, outer.x1 - inner.x1, outer.y1 - inner.y1
