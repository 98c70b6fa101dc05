"""(Run) -> heat maps of layers by steps: gradients, and of activations spread, the mean, dead and saturated ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tfhealth.report.chart import ZERO, Heat, Scale
from tfhealth.report.document import Picture
from tfhealth.report.evidence import panel_of
from tfhealth.report.pictures.common import Numbered, drawable, evenly, kernels, span
from tfhealth.report.words import clean, count, shorten
from tfhealth.rules.model import Measure
from tfhealth.run import Run
from tfhealth.series import Floats, Panel

__all__ = ["maps"]

_ROWS, _COLUMNS = 200, 300  # at most; more are narrower than a pixel
_CELLS = 14_000  # some 45 kB
_SIZES = ("size", "spread")


@dataclass(frozen=True, slots=True)
class _Map:
    """One heat map: `exprs` are tried in turn, and the first that the run has the data for is drawn."""

    name: str
    title: str
    exprs: tuple[str, ...]
    scale: Scale
    caption: str


_FROM_FIRST = "from the first layer (top) to the last."
_MAPS = (
    _Map(
        "gradients",
        "Gradients by layer",
        ("gradient.norm", "gradient.rms"),
        "size",
        f"The {{what}} of the gradient of each layer's weights, {_FROM_FIRST}",
    ),
    _Map(
        "spread",
        "Spread of activations",
        ("activation.std",),
        "spread",
        f"The standard deviation of each layer's output, {_FROM_FIRST} White is 1; violet is too small, orange too "
        "large.",
    ),
    _Map(
        "offset",
        "Mean of activations",
        ("activation.mean / activation.std",),
        "offset",
        f"The mean of each layer's output in its standard deviations, {_FROM_FIRST} White is 0.",
    ),
    _Map(
        "dead",
        "Dead units",
        ("activation.dead_fraction",),
        "share",
        f"The share of units that fired for none of the samples seen lately, {_FROM_FIRST}",
    ),
    _Map(
        "saturated",
        "Saturated outputs",
        ("activation.saturated_fraction",),
        "share",
        f"The share of outputs where the activation is flat, {_FROM_FIRST}",
    ),
)


def maps(run: Run, findings: Numbered) -> Iterator[Picture]:
    """Yield each heat map that the run has the data for; what says nothing is left out."""
    for one in _MAPS:
        for expr in one.exprs:
            panel = panel_of(Measure(expr=expr), run)
            panel = None if panel is None else kernels(panel, run)
            if panel is not None and drawable(panel):
                if _tells(panel.values[panel.measured], one.scale):
                    yield _picture(one, expr, panel)
                break


def _tells(values: Floats, scale: Scale) -> bool:
    """Return whether there is anything to see: a share above 0, an offset that is known, a size in any case."""
    return scale in _SIZES or bool((values > 0).any() if scale == "share" else np.isfinite(values).any())


def _picture(one: _Map, expr: str, panel: Panel) -> Picture:
    everything = panel.values[panel.measured]
    what = expr.replace(".", " ")
    caption = one.caption.format(what=what.rpartition(" ")[2])
    chosen = evenly(len(panel), _ROWS)
    if len(chosen) < len(panel):
        caption += f" {len(chosen)} of {count(len(panel), 'site')} are shown, evenly over depth."
        panel = panel.take(chosen)
    columns = evenly(len(panel.steps), min(_COLUMNS, _CELLS // len(panel)))
    values, known = panel.values[:, columns], panel.measured[:, columns]
    shown = _scaled(values, one.scale)
    if one.scale not in _SIZES:
        known &= np.isfinite(shown)  # such a share or quotient is not known yet, or never will be; nothing is broken
    if (known & (values == 0)).any() and one.scale == "size":
        caption += " Zeros are as dark as the lower end of the scale."
    if (known & ~np.isfinite(shown)).any():
        caption += " Black: NaN or Inf."
    if not known.all():
        caption += " Gray: not measured."
    names = tuple(shorten(clean(site.name), 34) for site in panel.sites)
    alt = f"Heat map of {what} at {count(len(panel), 'site')} over {count(len(panel.steps), 'probe')}, from "
    alt += f"{names[0]} to {names[-1]}. {span(everything)}"
    label = "share" if one.scale == "share" else re.sub(r"\w+\.", "", expr).replace("_", " ")  # the title says of what
    heat = Heat(names, panel.steps[columns], shown, known, label, one.scale)
    return Picture(one.name, one.title, caption, alt, heat, narrow=True)


def _scaled(values: Floats, scale: Scale) -> Floats:
    """Return what the scale shows: the logarithm of sizes, all else as it is."""
    if scale not in _SIZES:
        return values
    with np.errstate(all="ignore"):
        # A value of 0 is as small as can be, not missing.
        return np.where(values == 0, ZERO, np.log10(values))
