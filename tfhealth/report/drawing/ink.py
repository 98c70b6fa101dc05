"""What all charts share: colors, the style sheet, words in the chart's font, ticks, and shaded limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfhealth.report.chart import Band

__all__ = ["DASHES", "GRID", "INK", "LIMIT", "PALETTE", "STYLE", "draw_bands", "power", "shown", "ticks"]

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito, safe for color blindness
DASHES = ("-", "-", "-", (0, (5, 1.5)), (0, (3, 1.5)), (0, (1, 1)))
INK, SOFT, GRID, LIMIT = "#1f2933", "#52606d", "#e4e7eb", "#b3261e"
_SHADES = {"allowed": "#e3f1e8", "sick": "#fbe3e1"}

STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tfhealth",
    "text.parse_math": False,  # a layer may be called $x^2$
    "text.usetex": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 8.0,
    "axes.edgecolor": "#9aa5b1",
    "axes.labelcolor": SOFT,
    "axes.titlecolor": SOFT,
    "axes.titlelocation": "left",
    "axes.titlesize": 8.0,
    "axes.titley": 1.0,  # nothing stands above the axes that matplotlib would have to look for
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 0.0,  # the grid shows where
    "ytick.major.size": 0.0,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
}


def shown(text: str) -> str:
    """Return text with a box for every character that the chart's font lacks, instead of a warning."""
    from matplotlib.font_manager import findfont, get_font

    font = get_font(findfont("DejaVu Sans"))
    plain = text.replace("\n", " ").translate(dict.fromkeys((0x2068, 0x2069)))  # a label is a paragraph of its own
    return "".join(letter if font.get_char_index(ord(letter)) else "□" for letter in plain)


def power(exponent: float, _: int = 0) -> str:
    """Return a power of ten as a tick shows it."""
    return "10" + str(round(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def ticks(axis: Any, log: bool) -> None:
    """Give a value axis its ticks: powers of ten, or about five round numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    if log:
        axis.set_major_locator(LogLocator(numticks=7))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda v, _: power(np.log10(v)) if v > 0 else ""))
    else:
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.4g}".replace("-", "−")))


def draw_bands(axes: Any, bands: Sequence[Band], low: float, high: float, upright: bool) -> None:
    """Shade what is allowed and draw its ends; `upright` where the values lie along x."""
    span, rule = (axes.axvspan, axes.axvline) if upright else (axes.axhspan, axes.axhline)
    for band in bands:
        start = low if band.low is None else band.low
        end = high if band.high is None else band.high
        if band.shade:
            span(start, end, color=_SHADES[band.shade], zorder=0, linewidth=0)
        for edge in (band.low, band.high):
            if edge is not None:
                rule(edge, color=LIMIT, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)
