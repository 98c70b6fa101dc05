"""Chart -> SVG text, through matplotlib's `Figure` alone; the same chart gives the same bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfhealth.report.chart import ZERO, Band, Chart, Dots, Heat, Line, Lines, Ridges, Scale, drawable, extent
from tfhealth.report.ridges import draw_ridges
from tfhealth.report.svg import compact
from tfhealth.series import Floats

__all__ = ["draw"]

_PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito, safe for color blindness
_DASHES = ("-", "-", "-", (0, (5, 1.5)), (0, (3, 1.5)), (0, (1, 1)))
_INK, _SOFT, _GRID, _LIMIT = "#1f2933", "#52606d", "#e4e7eb", "#b3261e"
_SHADES = {"allowed": "#e3f1e8", "sick": "#fbe3e1"}
_NOT_MEASURED, _NOT_FINITE = (0.93, 0.94, 0.95, 1.0), (0.1, 0.1, 0.1, 1.0)
_WIDTH, _HEIGHT = 7.0, 2.1  # inches
_CROSSES = 30  # of one curve, for what is not finite
_DECADES = 10  # of a heat map's scale; what is smaller looks like its lower end
_PIXELS = 144  # an inch, of a heat map

_STYLE: dict[str, Any] = {
    "svg.fonttype": "path",
    "svg.hashsalt": "tfhealth",
    "text.parse_math": False,  # a layer may be called $x^2$
    "text.usetex": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 8.0,
    "axes.edgecolor": "#9aa5b1",
    "axes.labelcolor": _SOFT,
    "axes.titlecolor": _SOFT,
    "axes.titlelocation": "left",
    "axes.titlesize": 8.0,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "xtick.color": _SOFT,
    "ytick.color": _SOFT,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
}


def draw(chart: Chart) -> str:
    """Return a chart as SVG text."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    out = io.StringIO()
    with mpl.rc_context():
        mpl.rcdefaults()  # the user's own style, or usetex, must not change a report
        mpl.rcParams.update(_STYLE)
        figure = Figure(figsize=(_WIDTH, _HEIGHT), facecolor="white", layout="constrained")
        _DRAW[type(chart)](figure, chart)
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(out, format="svg", metadata=nothing, dpi=_PIXELS)
    return compact(out.getvalue())


def _shown(text: str) -> str:
    """Return text with a box for every character that the chart's font lacks, instead of a warning."""
    from matplotlib.font_manager import findfont, get_font

    font = get_font(findfont("DejaVu Sans"))
    return "".join(letter if font.get_char_index(ord(letter)) else "□" for letter in text.replace("\n", " "))


def _power(exponent: float, _: int = 0) -> str:
    return "10" + str(round(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _percent(share: float, _: int = 0) -> str:
    return f"{share:.0%}"


def _whole(found: float, _: int = 0) -> str:
    return f"{found:.0f}".replace("-", "−")


_TICKS: dict[Scale, Callable[[float, int], str]] = {
    "size": _power,
    "spread": _power,
    "offset": _whole,
    "share": _percent,
}


def _ticks(axis: Any, log: bool) -> None:
    """Give a value axis its ticks: powers of ten, or about five round numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    if log:
        axis.set_major_locator(LogLocator(numticks=7))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda v, _: _power(np.log10(v)) if v > 0 else ""))
    else:
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.4g}".replace("-", "−")))


def _lines(figure: Any, chart: Lines) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    entries = len(chart.lines) + (chart.rest is not None)
    legend = entries > 1
    figure.set_figheight(_HEIGHT + (0.1 + 0.17 * ((entries + 1) // 2) if legend else 0))
    axes = figure.add_subplot()
    low, high = extent(chart)
    if chart.log:
        axes.set_yscale("log")
    axes.set_ylim(low, high)
    _ticks(axes.yaxis, chart.log)
    if chart.log_across:
        axes.set_xscale("log")
        _ticks(axes.xaxis, log=True)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}"))
    axes.set_xlim(*_span(chart))
    axes.set_xlabel(chart.across)
    label = chart.label if legend else f"{chart.label} at {chart.lines[0].label}"
    axes.set_title(_shown(label), pad=18 if chart.flags else 6)
    axes.grid(color=_GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    _bands(axes, chart.bands, low, high, upright=False)
    if chart.rest is not None:
        steps, lowest, highest, label = chart.rest
        inside = np.clip(lowest, low, high), np.clip(highest, low, high)
        axes.fill_between(steps, *inside, color="#9aa5b1", alpha=0.35, linewidth=0, label=_shown(label))
    for place, line in enumerate(chart.lines):
        _curve(axes, line, place, low)
    _flags(axes, chart)
    if legend:
        figure.legend(loc="outside lower center", ncols=2, handlelength=2.4, columnspacing=1.6)


def _span(chart: Lines) -> tuple[float, float]:
    """Return the first and the last step on the chart, a little apart from its edges."""
    ends = [float(end) for line in chart.lines if len(line.steps) for end in (line.steps.min(), line.steps.max())]
    if chart.log_across:
        ends = [one for one in [*ends, *(flag.step for flag in chart.flags)] if one > 0] or [1.0]
        return min(ends) / 1.3, max(ends) * 1.3
    first, last = (min(ends), max(ends)) if ends else (0, 1)
    margin = max((last - first) * 0.02, 0.5)
    return float(first - margin), float(last + margin)


def _curve(axes: Any, line: Line, place: int, floor: float) -> None:
    """Draw one curve; what is not finite stands as crosses at the upper edge, what a log axis lacks at the lower."""
    hue = place if line.hue is None else line.hue
    color = _PALETTE[hue % len(_PALETTE)]
    finite = drawable(line.values)
    values = np.where(finite, np.maximum(line.values, floor), np.nan)
    look: dict[str, Any] = {"color": color, "label": _shown(line.label), "linewidth": 1.4}
    if line.style == "faint":
        look |= {"linewidth": 0.8, "alpha": 0.55}
    if line.style in ("epoch", "other") or finite.sum() < 3:
        look |= {"marker": "o", "markersize": 3.2}
    look["linestyle"] = _DASHES[3] if line.style == "other" else _DASHES[hue % len(_DASHES)]
    axes.plot(line.steps, values, **look)
    broken = line.steps[~finite]
    broken = broken[:: max(len(broken) // _CROSSES, 1)]
    height = np.full(len(broken), 0.97 - 0.05 * (place % 6))
    axes.plot(broken, height, "x", color=color, markersize=4, transform=axes.get_xaxis_transform(), zorder=5)


def _bands(axes: Any, bands: Sequence[Band], low: float, high: float, upright: bool) -> None:
    """Shade what is allowed and draw its ends; `upright` where the values lie along x."""
    span, rule = (axes.axvspan, axes.axvline) if upright else (axes.axhspan, axes.axhline)
    for band in bands:
        start = low if band.low is None else band.low
        end = high if band.high is None else band.high
        if band.shade:
            span(start, end, color=_SHADES[band.shade], zorder=0, linewidth=0)
        for edge in (band.low, band.high):
            if edge is not None:
                rule(edge, color=_LIMIT, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)


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
        axes.axvline(flag.step, color=_INK, linewidth=0.8, linestyle=(0, (1, 1.5)), zorder=4)
        axes.annotate(
            _shown(flag.text),
            (flag.step, 1.0),
            (0, 3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha=side,
            va="bottom",
            fontsize=7.5,
            color=_INK,
            bbox={"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": _INK, "linewidth": 0.7},
        )


def _heat(figure: Any, chart: Heat) -> None:
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    rows, columns = chart.values.shape
    figure.set_figheight(float(np.clip(0.95 + 0.13 * rows, 1.7, 3.8)))
    axes = figure.add_subplot()
    norm = Normalize(*_color_range(chart))
    palette = ScalarMappable(norm, colormaps["PuOr_r" if chart.scale in ("spread", "offset") else "cividis"])
    finite = np.isfinite(chart.values)
    pixels = palette.to_rgba(np.where(finite, chart.values, 0.0))
    pixels[~finite] = _NOT_FINITE
    pixels[~chart.measured] = _NOT_MEASURED
    # A picture inside the SVG: WeasyPrint takes seconds for a mesh of vectors.
    axes.imshow(pixels, aspect="auto", interpolation="nearest")
    picked = np.unique(np.linspace(0, rows - 1, min(rows, 16)).round().astype(int))
    axes.set_yticks(picked, [_shown(chart.names[row]) for row in picked], fontsize=6.5)
    marks = np.unique(np.linspace(0, columns - 1, min(columns, 8)).round().astype(int))
    axes.set_xticks(marks, [f"{chart.steps[mark]:,}" for mark in marks])
    axes.set_xlabel("step (one column a probe)")
    axes.tick_params(length=2)
    bar = figure.colorbar(palette, ax=axes, pad=0.015, aspect=18, label=_shown(chart.label))
    bar.outline.set_visible(False)
    bar.ax.yaxis.set_major_locator(MaxNLocator(5, integer=chart.scale != "share"))
    bar.ax.yaxis.set_major_formatter(FuncFormatter(_TICKS[chart.scale]))


def _color_range(chart: Heat) -> tuple[float, float]:
    """Return the ends of the color scale: within two of the middle, all shares, or where nearly all sizes lie."""
    if chart.scale != "size":
        return (0.0, 1.0) if chart.scale == "share" else (-2.0, 2.0)
    values = chart.values[np.isfinite(chart.values) & chart.measured & (chart.values > ZERO)]
    low, high = np.percentile(values, (2, 98)) if len(values) else (-1.0, 0.0)
    top = float(np.ceil(high))
    return float(np.clip(np.floor(low), top - _DECADES, top - 1)), top


def _dots(figure: Any, chart: Dots) -> None:
    figure.set_figheight(0.8 + 0.19 * len(chart.names) + (0.2 if chart.legend else 0))
    axes = figure.add_subplot()
    everything = chart.values if chart.after is None else np.concatenate([chart.values, chart.after])
    line = Line("", np.arange(len(everything)), everything)
    low, high = extent(Lines((line,), "", chart.log, chart.bands))
    if chart.log:
        axes.set_xscale("log")
    axes.set_xlim(low, high)
    _ticks(axes.xaxis, chart.log)
    _bands(axes, chart.bands, low, high, upright=True)
    places = np.arange(len(chart.names))
    names = chart.legend or ("", "")
    _marks(axes, chart.values, (low, high), {"marker": "o", "color": _PALETTE[0], "markersize": 5, "label": names[0]})
    if chart.after is not None:
        look = {"marker": "D", "color": _PALETTE[1], "markersize": 4, "fillstyle": "none", "label": names[1]}
        _marks(axes, chart.after, (low, high), look)
    if chart.legend:
        figure.legend(loc="outside lower center", ncols=2)
    axes.set_yticks(places, [_shown(name) for name in chart.names], fontsize=7)
    axes.set_ylim(len(chart.names) - 0.5, -0.5)
    axes.set_xlabel(_shown(chart.label))
    axes.grid(axis="both", color=_GRID, linewidth=0.6)
    axes.set_axisbelow(True)


def _marks(axes: Any, values: Floats, ends: tuple[float, float], look: dict[str, Any]) -> None:
    """Draw one mark a row; what is not finite stands as a cross at the right edge."""
    finite, places = drawable(values), np.arange(len(values))
    axes.plot(np.clip(values[finite], *ends), places[finite], linestyle="", **look)
    edge = np.full(int((~finite).sum()), 0.98)
    axes.plot(edge, places[~finite], "x", color=_LIMIT, transform=axes.get_yaxis_transform())


_DRAW: dict[type, Callable[[Any, Any], None]] = {Lines: _lines, Heat: _heat, Dots: _dots, Ridges: draw_ridges}
"""Every kind of chart and how it is drawn."""
