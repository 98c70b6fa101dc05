"""What a chart shows, as plain numbers and final labels; `tfhealth.report.drawing` makes the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from tfhealth.series import Floats, Ints

__all__ = [
    "Band",
    "Chart",
    "Dots",
    "Flag",
    "Heat",
    "Line",
    "Lines",
    "Ridges",
    "Scale",
    "Spans",
    "drawable",
    "extent",
    "leaves",
    "thin",
    "wants_log",
]

Places = TypeVar("Places", Ints, Floats)

_FAR = 1e5  # times the median or a limit, the most that a log axis shows
ZERO = -40.0  # stands for the logarithm of 0 in a heat map
_EXTREME = 1e100  # beyond it an axis cannot be laid out
_POINTS = 700  # of all curves of a chart; more cannot be told apart at the width of a page


Scale = Literal["size", "spread", "offset", "share"]


@dataclass(frozen=True, eq=False)
class Line:
    """One curve: steps or other places [n], values float[n], NaN and Inf allowed.

    `style` is line, faint, epoch (a mark at each value) or other (epoch, dashed). Curves of one `hue` have one color;
    None: the color of its place.
    """

    label: str
    steps: Ints | Floats
    values: Floats
    style: str = "line"
    hue: int | None = None


@dataclass(frozen=True, slots=True)
class Band:
    """Limits at `low` and `high`, None for none; what lies between them is shaded as `allowed`, as `sick`, or not."""

    low: float | None
    high: float | None
    shade: str = "allowed"


@dataclass(frozen=True, slots=True)
class Flag:
    """A mark at one step, or another place along the chart."""

    step: float
    text: str


@dataclass(frozen=True, eq=False)
class Lines:
    """Curves over steps, or over what `across` names; `rest` is the range of further sites.

    It is (steps, lowest, highest, label).
    """

    lines: tuple[Line, ...]
    label: str
    log: bool = False
    bands: tuple[Band, ...] = ()
    flags: tuple[Flag, ...] = ()
    rest: tuple[Ints, Floats, Floats, str] | None = None
    across: str = "step"
    log_across: bool = False


@dataclass(frozen=True, eq=False)
class Heat:
    """Sites by probes: values float[S, n] (NaN and Inf allowed), measured bool[S, n].

    `scale` says what they are: size and spread are log10 values, the second around 0; offset lies around 0, share
    within 0 and 1.
    """

    names: tuple[str, ...]
    steps: Ints
    values: Floats
    measured: NDArray[np.bool_]
    label: str
    scale: Scale = "size"


@dataclass(frozen=True, eq=False)
class Dots:
    """One value a site: values float[S]; `after` float[S] is a second one, and `legend` names both."""

    names: tuple[str, ...]
    values: Floats
    label: str
    log: bool = False
    bands: tuple[Band, ...] = ()
    legend: tuple[str, str] | None = None
    after: Floats | None = None


@dataclass(frozen=True, eq=False)
class Ridges:
    """Histograms below each other, one a step: panels of (title, steps int64[n], shares float64[n, FINITE])."""

    panels: tuple[tuple[str, Ints, Floats], ...]


@dataclass(frozen=True, eq=False)
class Spans:
    """One stretch of values a row: low and high float[S], and around it `least` and `most`, where they are given.

    `powers` draws them on a scale of powers of ten on both sides of 0.
    """

    names: tuple[str, ...]
    low: Floats
    high: Floats
    label: str
    least: Floats | None = None
    most: Floats | None = None
    powers: bool = False


Chart = Lines | Heat | Dots | Ridges | Spans


def wants_log(values: Floats) -> bool:
    """Return whether values spread over more than two powers of ten and none of them is negative."""
    finite = values[np.isfinite(values)]
    if not len(finite) or (finite < 0).any():
        return False
    positive = finite[finite > 0]
    return len(positive) > 0 and bool(np.log10(positive.max()) - np.log10(positive.min()) > 2)


def thin(steps: Places, values: Floats, curves: int = 1) -> tuple[Places, Floats]:
    """Return the points of one of so many curves that are worth drawing.

    Of each stretch of steps that is the lowest, the highest and the first that is not finite.
    """
    most = _POINTS // curves
    if len(steps) <= most:
        return steps, values
    kept: set[int] = {0, len(steps) - 1}
    for stretch in np.array_split(np.arange(len(steps)), most // 2):
        part = values[stretch]
        finite = np.isfinite(part)
        if finite.any():
            kept |= {int(stretch[finite][part[finite].argmin()]), int(stretch[finite][part[finite].argmax()])}
        if not finite.all():
            kept.add(int(stretch[~finite][0]))
    index = sorted(kept)
    return steps[index], values[index]


def drawable(values: Floats) -> NDArray[np.bool_]:
    """Return which values an axis can show, bool[n]."""
    with np.errstate(invalid="ignore"):
        return np.isfinite(values) & (np.abs(values) < _EXTREME)


def extent(chart: Lines) -> tuple[float, float]:
    """Return the lower and upper end of the value axis: all finite values, and the limits."""
    limits = [end for band in chart.bands for end in (band.low, band.high) if end is not None]
    parts = [line.values for line in chart.lines] + [np.array(limits)]
    if chart.rest is not None:
        parts += [chart.rest[1], chart.rest[2]]
    values = np.concatenate(parts).astype(np.float64)
    values = values[drawable(values)]
    if chart.log:
        values = values[values > 0]
        if not len(values):
            return 0.1, 1.0
        # An explosion by thirty powers of ten would press all that came before it flat: its curve leaves the chart.
        marks = [end for end in limits if end > 0] or [float(np.median(values))]
        high = min(values.max(), max(float(np.median(values)), *marks) * _FAR)
        return float(max(values.min(), min(marks) / _FAR) / 1.8), float(high * 1.8)
    lowest, highest = (values.min(), values.max()) if len(values) else (0.0, 1.0)
    margin = (highest - lowest) * 0.07 or abs(highest) * 0.1 or 1.0
    return float(lowest - margin), float(highest + margin)


def leaves(chart: Lines) -> bool:
    """Return whether a curve rises beyond the upper end of its axis."""
    _, high = extent(chart)
    return any(bool((line.values[drawable(line.values)] > high).any()) for line in chart.lines)


def sinks(chart: Lines) -> bool:
    """Return whether a log axis begins above some of the values; they are drawn on its lower edge."""
    low, _ = extent(chart)
    return chart.log and any(bool((line.values[drawable(line.values)] < low).any()) for line in chart.lines)
