"""What all charts share: colors, the style sheet, words in the chart's font, ticks, and shaded limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfhealth.report.chart import Band

__all__ = [
    "DASHES",
    "GRID",
    "INK",
    "LIMIT",
    "PALETTE",
    "SOFT",
    "STYLE",
    "decimal",
    "draw_bands",
    "marks",
    "power",
    "shown",
]

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
    "axes.titlecolor": SOFT,
    "axes.titlelocation": "left",
    "axes.titlesize": 8.0,
    "axes.titley": 1.0,  # nothing stands above the axes that matplotlib would have to look for
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
}


def shown(text: str) -> str:
    """Return text with a box for every character that the chart's font lacks, instead of a warning."""
    from matplotlib.font_manager import findfont, get_font

    font = get_font(findfont("DejaVu Sans"))
    plain = text.replace("\n", " ").translate(dict.fromkeys((0x2068, 0x2069)))  # a label is a paragraph of its own
    return "".join(letter if font.get_char_index(ord(letter)) else "□" for letter in plain)


def power(exponent: float) -> str:
    """Return a power of ten as an axis shows it."""
    return "10" + str(round(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def marks(low: float, high: float, log: bool = False, most: int = 5) -> tuple[list[float], list[str]]:
    """Return where an axis between two values has its words, and the words: powers of ten, or round numbers."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    locator = LogLocator(numticks=7) if log else MaxNLocator(most)
    places = [float(one) for one in locator.tick_values(low, high) if low <= one <= high]
    return places, [power(np.log10(one)) if log else decimal(one) for one in places]


def decimal(found: float) -> str:
    """Return a number as short as an axis shows it."""
    return f"{found:.4g}".replace("-", "−")


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
