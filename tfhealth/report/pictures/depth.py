"""(Run) -> the spread of each layer's weights over depth, against what its fan-in asks for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tfhealth.report.chart import Band, Dots
from tfhealth.report.document import Picture
from tfhealth.report.pictures.common import Numbered, evenly
from tfhealth.report.words import clean, count, number, shorten
from tfhealth.run import Run
from tfhealth.series import Probe, Series

__all__ = ["weights_by_depth"]

_ROWS = 24
_USUAL = Band(0.5, 2.0)


def weights_by_depth(run: Run, findings: Numbered) -> Iterator[Picture]:
    """Yield the spread of the weights before the first update and at the end, by depth."""
    panel = run.panel("weight", "std_over_fan")
    begun = [(site, series.values[0]) for site, series in panel.series() if len(series)]
    begun = [(site, float(value)) for site, value in begun if np.isfinite(value)]
    if len(begun) < 2:
        return
    chosen = [begun[place] for place in evenly(len(begun), _ROWS)]
    grown = [_growth(run.series(Probe(site, "norm"))) for site, _ in chosen]
    names = tuple(shorten(clean(site.name), 44) for site, _ in chosen)
    start = np.array([value for _, value in chosen])
    end = start * np.array(grown)
    caption = (
        "Standard deviation of each layer's weights over what its initializer's formula asks for, from the first layer "
        "(top) to the last. 1 is right. The end is reckoned from the growth of the norm."
    )
    if len(chosen) < len(begun):
        caption += f" {len(chosen)} of {count(len(begun), 'site')} are shown, evenly over depth."
    alt = f"Weights of {count(len(chosen), 'layer')} by depth: at the start from {number(start.min())} to "
    alt += f"{number(start.max())} times what the fan-in asks for."
    chart = Dots(names, start, "std / expected std", True, (_USUAL,), ("first step", "last probe"), end)
    yield Picture("depth", "Spread of weights by depth", caption, alt, chart, narrow=True)


def _growth(norms: Series | None) -> float:
    """Return by how much a norm grew; NaN where it is not known."""
    if norms is None or not len(norms) or not norms.values[0] > 0:
        return float("nan")
    return float(norms.values[-1] / norms.values[0])
