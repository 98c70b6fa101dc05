"""Axes and the words at their sides -> a figure with room for them, measured once and drawn as plain text."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfhealth.report.drawing.ink import GRID, SOFT

__all__ = ["Frame", "Side", "fit"]

_PAD = 3.5  # points around what belongs together
_LINE = 1.2  # of the size of a font, the height of a line
_LABEL = 8.0  # points, the size of what names an axis


@dataclass(frozen=True)
class Side:
    """What stands along one axis: words at places of its scale, and below or beside them what they are."""

    places: Sequence[float] = ()
    words: Sequence[str] = ()
    label: str = ""
    size: float = 8.0
    grid: bool = False

    @property
    def room(self) -> float:
        """The points that the label takes."""
        return _LINE * _LABEL + _PAD if self.label else 0.0


class Frame:
    """Axes of a figure whose words are ours: a tick of matplotlib is five artists, and half of a chart's time.

    Args:
        figure: frames stand in it from left to right.
        share: of the width that words leave.
        right: whether the words of the upright axis stand to its right.
    """

    def __init__(self, figure: Any, share: float = 1.0, right: bool = False) -> None:
        self.axes = figure.add_axes((0, 0, 1, 1), label=str(len(figure.axes)))
        self.axes.xaxis.set_visible(False)
        self.axes.yaxis.set_visible(False)
        self.share, self.right = share, right
        self.across, self.up = Side(), Side()

    def room(self, renderer: Any) -> tuple[float, float, float, float]:
        """Return the points that words take to the left and right, above and below."""
        words = _widest(self.up, renderer) + _PAD + self.up.room
        over_the_end = _widest(self.across, renderer) / 2
        under = _LINE * self.across.size + _PAD + self.across.room if self.across.words else 0.0
        flags = max((_LINE * text.get_fontsize() + 2 * _PAD for text in self.axes.texts), default=0.0)
        title = _LINE * self.axes.title.get_fontsize() if self.axes.get_title("left") else 0.0
        beside = (over_the_end, words) if self.right else (words, over_the_end)
        return *beside, flags + title + _PAD, under

    def write(self, width: float, height: float, words: float) -> None:
        """Write words and lines of the grid on axes of this size; `words` is what the upright axis has beside it."""
        level, turned = self.axes.get_xaxis_transform(), self.axes.get_yaxis_transform()
        for place, word in zip(self.across.places, self.across.words, strict=True):
            self._text(place, -_PAD / height, word, self.across.size, level, ha="center", va="top")
        anchor = "left" if self.right else "right"
        for place, word in zip(self.up.places, self.up.words, strict=True):
            self._text(self._beside(_PAD / width), place, word, self.up.size, turned, ha=anchor, va="center")
        if self.across.label:
            under = -(_LINE * self.across.size + 2 * _PAD) / height
            self._text(0.5, under, self.across.label, _LABEL, self.axes.transAxes, ha="center", va="top")
        if self.up.label:
            end = self._beside(words / width)  # the outer one
            look = {"ha": "right" if self.right else "left", "va": "center", "rotation": 90}
            self._text(end, 0.5, self.up.label, _LABEL, self.axes.transAxes, **look)
        if self.across.grid:
            self._grid(self.across.places, level, upright=True)
        if self.up.grid:
            self._grid(self.up.places, turned, upright=False)

    def _beside(self, share: float) -> float:
        return 1 + share if self.right else -share

    def _text(self, x: float, y: float, word: str, size: float, transform: Any, **look: Any) -> None:
        self.axes.text(x, y, word, fontsize=size, color=SOFT, transform=transform, **look)

    def _grid(self, places: Sequence[float], transform: Any, upright: bool) -> None:
        """Draw a line at each place, all of them as one."""
        from matplotlib.lines import Line2D

        along, ends = np.repeat(np.asarray(places, float), 3), np.tile([0.0, 1.0, np.nan], len(places))
        line = Line2D(*((along, ends) if upright else (ends, along)), color=GRID, linewidth=0.6, zorder=0.5)
        line.set(transform=transform, clip_on=False)
        self.axes.add_artist(line)


def fit(figure: Any, frames: Sequence[Frame]) -> None:
    """Put the frames of a figure side by side, with as much room around each as its words take, and write them."""
    from matplotlib.backends.backend_svg import RendererSVG

    width, height = figure.bbox.width, figure.bbox.height
    renderer = RendererSVG(width, height, io.StringIO())
    rooms = [frame.room(renderer) for frame in frames]
    legend = sum(one.get_window_extent(renderer).height for one in figure.legends)
    floor = max(under for *_, under in rooms) + legend + _PAD
    ceiling = height - max(over for _, _, over, _ in rooms) - _PAD
    free = width - sum(before + after + 2 * _PAD for before, after, _, _ in rooms)
    left = _PAD
    for frame, (before, after, _, _) in zip(frames, rooms, strict=True):
        inner = free * frame.share
        frame.axes.set_position(((left + before) / width, floor / height, inner / width, (ceiling - floor) / height))
        frame.write(inner, ceiling - floor, after if frame.right else before)
        left += before + inner + after + 2 * _PAD


def _widest(side: Side, renderer: Any) -> float:
    """Return the width of the widest of an axis's words, which is one of the longest."""
    from matplotlib.font_manager import FontProperties

    font = FontProperties(size=side.size)
    words = sorted(side.words, key=len)[-3:]
    return max((float(renderer.get_text_width_height_descent(one, font, False)[0]) for one in words), default=0.0)
