"""Chart -> SVG text, through matplotlib's `Figure` alone; the same chart gives the same bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

from tfhealth.report.chart import Chart, Dots, Heat, Lines, Ridges, Spans
from tfhealth.report.drawing.dots import draw_dots
from tfhealth.report.drawing.frame import Frame, fit
from tfhealth.report.drawing.heat import draw_heat
from tfhealth.report.drawing.ink import STYLE
from tfhealth.report.drawing.lines import HEIGHT, draw_lines
from tfhealth.report.drawing.ridges import draw_ridges
from tfhealth.report.drawing.spans import draw_spans
from tfhealth.report.svg import compact

__all__ = ["draw"]

_WIDTH, _NARROW = 7.0, 4.6  # inches
_PIXELS = 144  # an inch, of a heat map


def draw(chart: Chart, narrow: bool = False) -> str:
    """Return a chart as SVG text, as wide as a page or, `narrow`, for two abreast."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    out = io.StringIO()
    with mpl.rc_context():
        mpl.rcdefaults()  # the user's own style, or usetex, must not change a report
        mpl.rcParams.update(STYLE)
        figure = Figure(
            figsize=(_NARROW if narrow else _WIDTH, HEIGHT), dpi=72, facecolor="white"
        )  # one point is one unit of the SVG
        fit(figure, _DRAW[type(chart)](figure, chart))
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(out, format="svg", metadata=nothing, dpi=_PIXELS)
    return compact(out.getvalue())


_DRAW: dict[type, Callable[[Any, Any], Sequence[Frame]]] = {
    Lines: draw_lines,
    Heat: draw_heat,
    Dots: draw_dots,
    Ridges: draw_ridges,
    Spans: draw_spans,
}
"""Every kind of chart and what draws it: into a figure, whose height it sets, and it returns its frames."""
