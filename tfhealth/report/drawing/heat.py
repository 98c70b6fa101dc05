"""Sites by probes -> a matplotlib figure of a heat map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfhealth.report.chart import ZERO, Heat, Scale
from tfhealth.report.drawing.frame import Frame, Side
from tfhealth.report.drawing.ink import power, shown

__all__ = ["draw_heat"]

_NOT_MEASURED, _NOT_FINITE = (0.93, 0.94, 0.95, 1.0), (0.1, 0.1, 0.1, 1.0)
_DECADES = 10  # of the scale; what is smaller looks like its lower end


def draw_heat(figure: Any, chart: Heat) -> list[Frame]:
    """Draw one row a site and one column a probe, with a bar that explains the colors."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.ticker import MaxNLocator

    rows, columns = chart.values.shape
    figure.set_figheight(float(np.clip(0.95 + 0.13 * rows, 1.7, 3.8)))
    frame, bar = Frame(figure, 0.98), Frame(figure, 0.02, right=True)
    low, high = _color_range(chart)
    norm = Normalize(low, high)
    palette = ScalarMappable(norm, colormaps["PuOr_r" if chart.scale in ("spread", "offset") else "cividis"])
    finite = np.isfinite(chart.values)
    pixels = palette.to_rgba(np.where(finite, chart.values, 0.0))
    pixels[~finite] = _NOT_FINITE
    pixels[~chart.measured] = _NOT_MEASURED
    # A picture inside the SVG: WeasyPrint takes seconds for a mesh of vectors.
    frame.axes.imshow(pixels, aspect="auto", interpolation="nearest")
    picked = np.unique(np.linspace(0, rows - 1, min(rows, 12)).round().astype(int)).tolist()
    frame.up = Side(picked, [shown(chart.names[row]) for row in picked], size=6.5)
    places = np.unique(np.linspace(0, columns - 1, min(columns, 6)).round().astype(int)).tolist()
    frame.across = Side(places, [f"{chart.steps[place]:,}" for place in places], "step (one column a probe)")
    bar.axes.imshow(
        palette.to_rgba(np.linspace(low, high, 64)[:, None]), aspect="auto", extent=(0, 1, low, high), origin="lower"
    )
    bar.axes.spines[:].set_visible(False)
    locator = MaxNLocator(5, integer=chart.scale != "share")
    values = [float(one) for one in locator.tick_values(low, high) if low <= one <= high]
    bar.up = Side(values, [_WORDS[chart.scale](one) for one in values], shown(chart.label))
    return [frame, bar]


def _color_range(chart: Heat) -> tuple[float, float]:
    """Return the ends of the color scale: within two of the middle, all shares, or where nearly all sizes lie."""
    if chart.scale != "size":
        return (0.0, 1.0) if chart.scale == "share" else (-2.0, 2.0)
    values = chart.values[np.isfinite(chart.values) & chart.measured & (chart.values > ZERO)]
    low, high = np.percentile(values, (2, 98)) if len(values) else (-1.0, 0.0)
    top = float(np.ceil(high))
    return float(np.clip(np.floor(low), top - _DECADES, top - 1)), top


def _percent(share: float) -> str:
    return f"{share:.0%}"


def _whole(found: float) -> str:
    return f"{found:.0f}".replace("-", "−")


_WORDS: dict[Scale, Callable[[float], str]] = {
    "size": power,
    "spread": power,
    "offset": _whole,
    "share": _percent,
}
