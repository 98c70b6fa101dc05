"""(Run, numbered findings) -> the report's pictures of a run; the list of them is at the foot."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tfhealth.report.chart import ZERO, Band, Flag, Heat, Line, Lines, leaves, sinks, thin, wants_log
from tfhealth.report.document import Picture
from tfhealth.report.evidence import panel_of, rest_of
from tfhealth.report.spreads import spreads
from tfhealth.report.words import clean, count, shorten
from tfhealth.result import Finding
from tfhealth.rules.model import Measure
from tfhealth.run import Run
from tfhealth.series import Floats, Panel, Probe, Series, Site

__all__ = ["PICTURES", "pictures"]

Numbered = Sequence[tuple[int, Finding]]

_CURVES = 5
_ROWS, _COLUMNS = 200, 300  # of a heat map, at most; more are narrower than a pixel
_CELLS = 20_000  # of a heat map; some 60 kB
_USUAL_RATIO = Band(1e-4, 1e-2)
_NOT_KERNELS = ("bias", "gamma", "beta")


def pictures(run: Run, findings: Numbered) -> tuple[Picture, ...]:
    """Return every picture that the run has the data for."""
    found = [make(run, findings) for make in PICTURES]
    return (*(picture for picture in found if picture is not None), *spreads(run))


def _loss(run: Run, findings: Numbered) -> Picture | None:
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
        return None
    values = np.concatenate([line.values for line in lines])
    flags = _flags(findings, max(int(line.steps[-1]) for line in lines))
    chart = Lines(tuple(lines), "loss", wants_log(values), flags=flags)
    caption = "The loss of each probed batch without regularization, and the means that Keras logged."
    if flags:
        caption += " Numbers at the top: the findings, at the step since which they hold."
    if not np.isfinite(values).all():
        caption += " Crosses at the upper edge: NaN or Inf."
    if leaves(chart):
        caption += " Curves that leave the chart go on rising."
    return Picture("loss", "Loss", caption, f"Loss over steps. {_ends(lines)}", chart)


def _flags(findings: Numbered, last: int) -> tuple[Flag, ...]:
    """Return one flag for all findings that begin at nearly the same step."""
    groups: list[tuple[int, list[int]]] = []
    for number, finding in sorted(findings, key=lambda one: (one[1].step or 0, one[0])):
        if finding.step is None or finding.kind == "experiment":  # which has steps of its own
            continue
        if groups and finding.step - groups[-1][0] <= last * 0.035:
            groups[-1][1].append(number)
        else:
            groups.append((finding.step, [number]))
    return tuple(Flag(step, _numbers(sorted(numbers))) for step, numbers in groups)


def _numbers(numbers: Sequence[int]) -> str:
    """Return numbers as `1, 3–5`."""
    runs: list[list[int]] = []
    for one in numbers:
        if runs and one == runs[-1][-1] + 1:
            runs[-1].append(one)
        else:
            runs.append([one])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)


def _ends(lines: Sequence[Line]) -> str:
    told = [f"{one.label}: from {one.values[0]:.3g} to {one.values[-1]:.3g}" for one in lines if len(one.values)]
    return "; ".join(told) + "."


def _gradients(run: Run, findings: Numbered) -> Picture | None:
    panel = _kernels(run.panel("gradient", "norm"), run)
    what = "norm"
    if not len(panel):
        panel, what = _kernels(run.panel("gradient", "rms"), run), "rms"
    if not _drawable(panel):
        return None
    caption = f"The {what} of the gradient of each layer's weights, from the first layer (top) to the last."
    return _map(panel, "gradients", "Gradients by layer", f"gradient {what}", caption, diverging=False)


def _spread(run: Run, findings: Numbered) -> Picture | None:
    panel = run.panel("activation", "std")
    if not _drawable(panel):
        return None
    caption = (
        "The standard deviation of each layer's output, from the first layer (top) to the last. White is 1; "
        "violet is too small, orange too large."
    )
    return _map(panel, "spread", "Spread of activations", "activation std", caption, diverging=True)


def _map(panel: Panel, name: str, title: str, label: str, caption: str, diverging: bool) -> Picture:
    everything = panel.values[panel.measured]
    chosen = _evenly(len(panel), _ROWS)
    if len(chosen) < len(panel):
        caption += f" {len(chosen)} of {count(len(panel), 'site')} are shown, evenly over depth."
        panel = panel.take(chosen)
    columns = _evenly(len(panel.steps), min(_COLUMNS, _CELLS // len(panel)))
    values, known = panel.values[:, columns], panel.measured[:, columns]
    with np.errstate(all="ignore"):
        # A value of 0 is as small as can be, not missing.
        logs = np.where(values == 0, ZERO, np.log10(values))
    names = tuple(shorten(clean(site.name), 34) for site in panel.sites)
    if (known & (values == 0)).any() and not diverging:
        caption += " Zeros are as dark as the lower end of the scale."
    if (known & ~np.isfinite(logs)).any():
        caption += " Black: NaN or Inf."
    if not known.all():
        caption += " Gray: not measured."
    alt = f"Heat map of {label} at {count(len(panel), 'site')} over {count(len(panel.steps), 'probe')}, from "
    alt += f"{names[0]} to {names[-1]}. {_range(everything)}"
    return Picture(name, title, caption, alt, Heat(names, panel.steps[columns], logs, known, label, diverging))


def _evenly(total: int, most: int) -> list[int]:
    return [int(one) for one in np.unique(np.linspace(0, total - 1, min(total, most)).round())]


def _range(values: Floats) -> str:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return "Every value is NaN or Inf."
    return f"Values from {finite.min():.3g} to {finite.max():.3g}, median {np.median(finite):.3g}."


def _updates(run: Run, findings: Numbered) -> Picture | None:
    whole = panel_of(Measure(expr="update.norm / weight.norm"), run)
    if whole is None:
        return None
    panel = _kernels(whole, run)
    if not _drawable(panel):
        return None
    order = sorted(range(len(panel)), key=lambda row: -_unusual(panel.series()[row][1]))
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
    return Picture("updates", "Size of updates", caption, f"Update to weight ratio. {_ends(lines)}", chart)


def _unusual(series: Series) -> float:
    """Return how many powers of ten the median ratio lies from 1e-3; most for one that was never finite."""
    good = series.values[np.isfinite(series.values) & (series.values > 0)]
    return abs(float(np.log10(np.median(good))) + 3) if len(good) else np.inf


def _kernels(panel: Panel, run: Run) -> Panel:
    """Leave out biases and scales, whose norms begin at 0 or 1 and say little; all stay where nothing else is there."""
    rows = [row for row, site in enumerate(panel.sites) if run.sites[site].get("role") not in _NOT_KERNELS]
    return panel.take(rows) if rows else panel


def _drawable(panel: Panel) -> bool:
    return len(panel) > 0 and bool(panel.measured.any())


def _rates(run: Run, findings: Numbered) -> Picture | None:
    panel = run.panel("optimizer", "learning_rate")
    moving = [(site, one) for site, one in panel.series() if len(np.unique(one.values)) > 1][:_CURVES]
    if not moving:
        return None
    lines = [Line(shorten(clean(site.name), 40), *thin(one.steps, one.values, len(moving))) for site, one in moving]
    values = np.concatenate([line.values for line in lines])
    chart = Lines(tuple(lines), "learning rate", wants_log(values))
    caption = "The learning rate that the optimizer used, at each probed step."
    return Picture("rates", "Learning rate", caption, f"Learning rate over steps. {_ends(lines)}", chart)


PICTURES: tuple[Callable[[Run, Numbered], Picture | None], ...] = (_loss, _rates, _gradients, _spread, _updates)
"""Every picture of a run, in the order of the report; each is None where the run lacks its data."""
