"""What several pictures of a run need: flags of findings, words for alternative texts, and a choice of sites."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfhealth.report.chart import Flag, Line
from tfhealth.result import Finding
from tfhealth.run import Run
from tfhealth.series import Floats, Panel

__all__ = ["Numbered", "drawable", "ends", "evenly", "flags_of", "kernels", "span"]

Numbered = Sequence[tuple[int, Finding]]

_NOT_KERNELS = ("bias", "gamma", "beta")


def flags_of(findings: Numbered, last: int) -> tuple[Flag, ...]:
    """Return one flag for all findings that begin at nearly the same step."""
    groups: list[tuple[int, list[int]]] = []
    for number, finding in sorted(findings, key=lambda one: (one[1].step or 0, one[0])):
        if finding.step is None or finding.kind == "experiment":  # which has steps of its own
            continue
        if groups and finding.step - groups[-1][0] <= last * _room(groups[-1][1], number):
            groups[-1][1].append(number)
        else:
            groups.append((finding.step, [number]))
    return tuple(Flag(step, _numbers(sorted(numbers))) for step, numbers in groups)


def _room(numbers: Sequence[int], number: int) -> float:
    """Return the share of a narrow chart that lies between the middles of two flags that touch each other."""
    return 0.02 + 0.008 * (len(_numbers(sorted(numbers))) + len(str(number)))


def _numbers(numbers: Sequence[int]) -> str:
    """Return numbers as `1, 3–5`."""
    runs: list[list[int]] = []
    for one in numbers:
        if runs and one == runs[-1][-1] + 1:
            runs[-1].append(one)
        else:
            runs.append([one])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)


def ends(lines: Sequence[Line]) -> str:
    """Return in words where curves begin and end."""
    told = [f"{one.label}: from {one.values[0]:.3g} to {one.values[-1]:.3g}" for one in lines if len(one.values)]
    return "; ".join(told) + "."


def evenly(total: int, most: int) -> list[int]:
    """Return at most `most` of `total` places, evenly."""
    return [int(one) for one in np.unique(np.linspace(0, total - 1, min(total, most)).round())]


def span(values: Floats) -> str:
    """Return the range of values in words."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return "Every value is NaN or Inf."
    return f"Values from {finite.min():.3g} to {finite.max():.3g}, median {np.median(finite):.3g}."


def kernels(panel: Panel, run: Run) -> Panel:
    """Leave out biases and scales, whose norms begin at 0 or 1 and say little; all stay where nothing else is there."""
    rows = [row for row, site in enumerate(panel.sites) if run.sites[site].get("role") not in _NOT_KERNELS]
    return panel.take(rows) if rows else panel


def drawable(panel: Panel) -> bool:
    """Return whether a panel holds anything at all."""
    return len(panel) > 0 and bool(panel.measured.any())
