"""(Run) -> pictures of the histograms that somebody asked for, one for each layer."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from tfhealth.histograms import FINITE, Histogram
from tfhealth.report.chart import Ridges
from tfhealth.report.document import Picture
from tfhealth.report.pictures.common import Numbered
from tfhealth.report.words import clean, count, shorten
from tfhealth.run import Run
from tfhealth.series import Site

__all__ = ["spreads"]

_LAYERS = 6
_STEPS = 12
_BIAS = "bias"
_TITLES = {
    "weight": "weights",
    _BIAS: "biases",
    "gradient": "gradients",
    "update": "updates",
    "activation": "activations",
}


def spreads(run: Run, findings: Numbered) -> Iterator[Picture]:
    """Yield a picture of the weights, biases, gradients, updates and outputs of each layer, of the first layers."""
    layers: dict[str, dict[str, tuple[Site, Histogram]]] = {}
    for site, found in run.histograms.items():
        # Of several variables, and of several calls, the first one: a kernel comes before its bias.
        kinds = layers.setdefault(_layer(site), {})
        name = _BIAS if site.kind in kinds and site.kind == "weight" and _is_bias(site, run) else site.kind
        kinds.setdefault(name, (site, found))
    left = len(layers) - _LAYERS
    for place, (layer, kinds) in enumerate(list(layers.items())[:_LAYERS]):
        more = f" {count(left, 'more layer')} in the run." if left > 0 and place == _LAYERS - 1 else ""
        yield _picture(place, shorten(clean(layer), 60), kinds, more)


def _is_bias(site: Site, run: Run) -> bool:
    return run.sites.get(site, {}).get("role") == "bias"


def _layer(site: Site) -> str:
    """Return the layer that a site belongs to: a variable's name comes after its layer's path."""
    name = re.sub(r"(:\d+)?(#\d+)?$", "", site.name)
    return name if site.kind == "activation" else name.rpartition("/")[0] or name


def _picture(place: int, layer: str, kinds: dict[str, tuple[Site, Histogram]], left: str) -> Picture:
    listed = [(title, *kinds[kind]) for kind, title in _TITLES.items() if kind in kinds]
    panels = []
    broken: set[int] = set()
    for title, _, found in listed:
        rows = np.unique(np.linspace(0, len(found.steps) - 1, _STEPS).round().astype(int))
        steps, counts = found.steps[rows], found.counts[rows]
        broken |= set(steps[counts[:, FINITE] > 0].tolist())
        panels.append((title, steps, counts[:, :FINITE] / np.maximum(counts.sum(1, keepdims=True), 1)))
    caption = (
        "How the values spread over sizes: one ridge for each step, time running down; negative values left of 0, "
        "positive ones right of it, its height the share of values."
    )
    caption += f" NaN or Inf at step {', '.join(f'{step:,}' for step in sorted(broken))}." if broken else ""
    what = ", ".join(title for title, _, _ in listed)
    alt = f"Histograms of {what} of {layer} at {count(len(panels[0][1]), 'step')}, from {panels[0][1][0]:,} to "
    alt += f"{panels[0][1][-1]:,}."
    return Picture(f"histogram-{place + 1}", f"Values of {layer}", caption + left, alt, Ridges(tuple(panels)))
