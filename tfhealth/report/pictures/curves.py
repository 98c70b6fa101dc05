"""(Run, numbered findings) -> pictures that are curves: the loss, each metric, the learning rate, the updates, time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tfhealth.report.chart import Band, Line, Lines, leaves, sinks, thin, wants_log
from tfhealth.report.document import Picture
from tfhealth.report.evidence import panel_of, rest_of
from tfhealth.report.pictures.common import Numbered, drawable, ends, flags_of, kernels
from tfhealth.report.words import clean, shorten
from tfhealth.rules.model import Measure
from tfhealth.run import Run
from tfhealth.series import Probe, Series, Site

__all__ = ["learning_rates", "loss", "metrics", "time", "updates"]

_CURVES = 5
_METRICS = 6
_NOT_METRICS = ("loss", "learning_rate")
_FEWEST_TIMES = 3
_USUAL_RATIO = Band(1e-4, 1e-2)


def loss(run: Run, findings: Numbered) -> Iterator[Picture]:
    """Yield the loss of each probed batch, and the means that Keras logged."""
    lines = []
    batch = run.panel("loss", "data")
    if not len(batch):
        batch = run.panel("loss", "total")
    for site, series in batch.series()[:3]:
        name = "each probed batch" if len(batch) == 1 else shorten(clean(site.name), 30)
        lines.append(Line(name, *thin(series.steps, series.values), "faint"))
    for log, name in (("loss", "training, mean of the epoch"), ("val_loss", "validation")):
        found = run.series(Probe(Site("log", log), "value"))
        if found is not None and len(found):
            lines.append(Line(name, *thin(found.steps, found.values), "epoch"))
    if not lines:
        return
    values = np.concatenate([line.values for line in lines])
    flags = flags_of(findings, max(int(line.steps[-1]) for line in lines))
    chart = Lines(tuple(lines), "loss", wants_log(values), flags=flags)
    caption = "The loss of each probed batch without regularization, and the means that Keras logged."
    if flags:
        caption += " Numbers at the top: the findings, at the step since which they hold."
    if not np.isfinite(values).all():
        caption += " Crosses at the upper edge: NaN or Inf."
    if leaves(chart):
        caption += " Curves that leave the chart go on rising."
    yield Picture("loss", "Loss", caption, f"Loss over steps. {ends(lines)}", chart)


def metrics(run: Run, findings: Numbered) -> Iterator[Picture]:
    """Yield each compiled metric, of training and of validation."""
    logs = {site.name: series for site, series in run.logs.items() if len(series)}
    names = [name for name in logs if not name.startswith("val_") and name not in _NOT_METRICS]
    for name in names[:_METRICS]:
        found = [(logs.get(name), "training"), (logs.get(f"val_{name}"), "validation")]
        lines = tuple(Line(word, *thin(one.steps, one.values), "epoch") for one, word in found if one is not None)
        shown = shorten(clean(name), 40)
        flags = flags_of(findings, max(int(line.steps[-1]) for line in lines))
        caption = "As Keras logged it at the end of each epoch." + (
            " Numbers at the top: the findings." if flags else ""
        )
        chart = Lines(lines, shown, wants_log(np.concatenate([line.values for line in lines])), flags=flags)
        yield Picture(
            f"metric-{names.index(name) + 1}", shown, caption, f"{shown} over steps. {ends(lines)}", chart, narrow=True
        )


def learning_rates(run: Run, findings: Numbered) -> Iterator[Picture]:
    """Yield the learning rate of each optimizer where it moves."""
    panel = run.panel("optimizer", "learning_rate")
    moving = [(site, one) for site, one in panel.series() if len(np.unique(one.values)) > 1][:_CURVES]
    if not moving:
        return
    lines = [Line(shorten(clean(site.name), 40), *thin(one.steps, one.values, len(moving))) for site, one in moving]
    values = np.concatenate([line.values for line in lines])
    chart = Lines(tuple(lines), "learning rate", wants_log(values))
    caption = "The learning rate that the optimizer used, at each probed step."
    yield Picture("rates", "Learning rate", caption, f"Learning rate over steps. {ends(lines)}", chart, narrow=True)


def updates(run: Run, findings: Numbered) -> Iterator[Picture]:
    """Yield how far one step moves the weights of each layer, relative to their size."""
    whole = panel_of(Measure(expr="update.norm / weight.norm"), run)
    if whole is None:
        return
    panel = kernels(whole, run)
    if not drawable(panel):
        return
    order = np.argsort([-_unusual(series) for _, series in panel.series()], kind="stable").tolist()
    shown = sorted(order[:_CURVES])
    lines = tuple(
        Line(shorten(clean(site.name), 52), *thin(series.steps, series.values, len(shown)))
        for site, series in panel.take(shown).series()
    )
    rest = rest_of(panel, [row for row in range(len(panel)) if row not in shown])
    positive = any((line.values > 0).any() for line in lines)
    chart = Lines(lines, "‖update‖ / ‖weight‖", positive, (_USUAL_RATIO,), rest=rest)
    caption = "How far one step moves each layer's weights, relative to their size. Green: 1e-4 to 1e-2 is usual."
    if rest is not None:
        caption += f" The {_CURVES} variables farthest from 1e-3 are drawn by name."
    if sinks(chart):
        caption += " Values on the lower edge are smaller still."
    yield Picture("updates", "Size of updates", caption, f"Update to weight ratio. {ends(lines)}", chart, narrow=True)


def _unusual(series: Series) -> float:
    """Return how many powers of ten the median ratio lies from 1e-3; most for one that was never finite."""
    good = series.values[np.isfinite(series.values) & (series.values > 0)]
    return abs(float(np.log10(np.median(good))) + 3) if len(good) else np.inf


def time(run: Run, findings: Numbered) -> Iterator[Picture]:
    """Yield how long a step took, and how much of it was waiting for data and probing."""
    step = Site("time", "step")
    whole, waited = (run.series(Probe(step, name)) for name in ("seconds", "data_seconds"))
    if whole is None or len(whole) < _FEWEST_TIMES:
        return
    parts = [(whole, "a step"), (waited, "of it waiting for data")]
    lines = tuple(
        Line(word, *thin(one.steps, one.values * 1000), "epoch") for one, word in parts if one is not None and len(one)
    )
    caption = "Milliseconds a step, each mark the mean since the one before it."
    chart = Lines(lines, "milliseconds", wants_log(np.concatenate([line.values for line in lines])))
    yield Picture("time", "Where the time goes", caption, f"Milliseconds a step. {ends(lines)}", chart, narrow=True)
