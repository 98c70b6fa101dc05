"""(Run A, Run B) -> pictures with the curves of both over each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tfhealth.report.chart import Line, Lines, thin, wants_log
from tfhealth.report.document import Picture
from tfhealth.report.evidence import panel_of
from tfhealth.report.pictures.common import ends, kernels
from tfhealth.report.words import clean, shorten
from tfhealth.rules.model import Measure
from tfhealth.run import Run
from tfhealth.series import Floats, Ints, Panel

__all__ = ["curves"]

_MOST = 8
_WHOLE = (
    ("gradients", "Size of gradients", "gradient.norm", "root of the summed squares of all gradient norms"),
    ("updates", "Size of updates", "update.norm / weight.norm", "median ‖update‖ / ‖weight‖ over the layers"),
)


def curves(before: Run, after: Run) -> tuple[Picture, ...]:
    """Return what Keras logged, and the size of gradients and updates, of both runs."""
    return (*_logged(before, after), *_probed(before, after))


def _logged(before: Run, after: Run) -> Iterator[Picture]:
    names = dict.fromkeys(site.name for run in (before, after) for site in run.logs)
    for place, name in enumerate([one for one in names if not one.startswith("val_")][:_MOST]):
        lines = [
            Line(f"{letter}, {word}", *thin(series.steps, series.values, 4), style, hue)
            for word, log, style in (("training", name, "epoch"), ("validation", f"val_{name}", "other"))
            for hue, (letter, run) in enumerate((("A", before), ("B", after)))
            for site, series in run.logs.items()
            if site.name == log and len(series)
        ]
        if lines:
            shown = shorten(clean(name), 40)
            yield _picture(f"log-{place + 1}", shown, shown, lines, "As Keras logged it at the end of each epoch.")


def _probed(before: Run, after: Run) -> Iterator[Picture]:
    for name, title, expr, label in _WHOLE:
        lines = []
        for letter, run in (("A", before), ("B", after)):
            panel = panel_of(Measure(expr=expr), run)
            if panel is not None:
                lines.append(Line(letter, *thin(*_over_layers(kernels(panel, run), name), 2)))
        if len(lines) == 2:
            yield _picture(name, title, label, lines, f"At each probed step: the {label}.")


def _over_layers(panel: Panel, name: str) -> tuple[Ints, Floats]:
    """Return one value a step for all layers; steps at which none was measured are left out."""
    known = panel.measured.any(axis=0)
    values = np.where(panel.measured, panel.values, np.nan)[:, known]
    with np.errstate(all="ignore"):
        total = np.sqrt(np.nansum(values**2, axis=0)) if name == "gradients" else np.nanmedian(values, axis=0)
    return panel.steps[known], total


def _picture(name: str, title: str, label: str, lines: list[Line], caption: str) -> Picture:
    chart = Lines(tuple(lines), label, wants_log(np.concatenate([line.values for line in lines])))
    return Picture(name, title, caption, f"{title} of both runs over steps. {ends(lines)}", chart)
