"""The words of measurement: a place (`Site`), one statistic there (`Probe`), what it yielded (`Series`, `Panel`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BETWEEN_STEPS",
    "FROM_HOST",
    "KINDS",
    "Attribute",
    "Floats",
    "Ints",
    "Panel",
    "Probe",
    "Series",
    "Site",
    "joined",
    "stack",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Attribute = str | int | float | bool | None

KINDS = {
    "input": "a tensor that reaches the model's first layer",
    "label": "the targets of one output",
    "prediction": "one output of the model",
    "activation": "the output of one call of a layer",
    "gradient": "the gradient of the loss with respect to one variable",
    "weight": "one variable, before the update",
    "update": "the change that one step made to one variable",
    "loss": "the loss of the batch, before any averaging",
    "optimizer": "an optimizer at work in the step",
    "validation_input": "an input of the batches that Keras validates with",
    "validation_label": "the targets of one output, in those batches",
    "validation_prediction": "one output of the model, for those batches",
    "log": "one entry of Keras's epoch logs",
    "time": "how long steps take, seen from the host; recorded in every run",
    "memory": "memory of the process, and of each GPU; recorded in every run",
    "experiment": "what was tried on clones of the model before a training",
    "layer": "a layer of the model, as it is built; nothing is measured there",
    "fact": "a setting of the model, the optimizer, the fit or the machine",
}

FROM_HOST = frozenset({"time", "memory"})
"""Kinds that are not measured in a step, but beside it."""

BETWEEN_STEPS = frozenset({"validation_input", "validation_label", "validation_prediction", "log"})
"""Kinds of what is measured after the last step of an epoch: its step is that of the next one, if there is any."""


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """A place in a model: its kind (one of `KINDS`) and its name, a Keras `layer.path` or `variable.path`."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True, order=True)
class Probe:
    """One statistic at one site."""

    site: Site
    statistic: str


@dataclass(frozen=True, eq=False)
class Series:
    """What one probe yielded.

    Attributes:
        steps: int64[n], ascending; the number of optimizer steps taken before the measured one.
        values: float64[n]; NaN is a measured value that is not a number.
    """

    steps: Ints
    values: Floats

    def __len__(self) -> int:
        return len(self.steps)


@dataclass(frozen=True, eq=False)
class Panel:
    """Several series of one statistic on common steps: the one shape that conditions judge.

    Attributes:
        sites: the S sites, in execution order.
        steps: int64[n], ascending.
        values: float64[S, n]; meaningless where not measured.
        measured: bool[S, n]; False where the probe yielded nothing at that step.
    """

    sites: tuple[Site, ...]
    steps: Ints
    values: Floats
    measured: NDArray[np.bool_]

    def take(self, rows: Sequence[int]) -> Panel:
        """Return the panel of the sites at `rows` only."""
        index = list(rows)
        if index == list(range(len(self.sites))):
            return self
        return Panel(tuple(self.sites[i] for i in index), self.steps, self.values[index], self.measured[index])

    def since(self, keep: NDArray[np.bool_]) -> Panel:
        """Return the panel at the steps where `keep`, bool[n], is True."""
        if keep.all():
            return self
        return Panel(self.sites, self.steps[keep], self.values[:, keep], self.measured[:, keep])

    def series(self) -> list[tuple[Site, Series]]:
        """Return each site with its series, at the steps where it was measured."""
        return [
            (site, Series(self.steps[known], row[known]))
            for site, row, known in zip(self.sites, self.values, self.measured, strict=True)
        ]

    def __len__(self) -> int:
        return len(self.sites)


def joined(panels: Sequence[Panel]) -> Panel:
    """Lay panels under each other, over the union of their steps."""
    first = panels[0]
    if not all(np.array_equal(first.steps, one.steps) for one in panels[1:]):
        return stack([series for panel in panels for series in panel.series()])
    sites = tuple(site for panel in panels for site in panel.sites)
    values, measured = ([getattr(panel, name) for panel in panels] for name in ("values", "measured"))
    return Panel(sites, first.steps, np.concatenate(values), np.concatenate(measured))


def stack(series: Sequence[tuple[Site, Series]]) -> Panel:
    """Lay series with their own steps over the union of these steps; what is absent is not measured."""
    if not series:
        empty: NDArray[Any] = np.empty((0, 0))
        return Panel((), np.empty(0, np.int64), empty.astype(np.float64), empty.astype(bool))
    steps = np.unique(np.concatenate([one.steps for _, one in series]))
    values = np.full((len(series), len(steps)), np.nan)
    measured = np.zeros(values.shape, bool)
    for row, (_, one) in enumerate(series):
        columns = np.searchsorted(steps, one.steps)
        values[row, columns] = one.values
        measured[row, columns] = True
    return Panel(tuple(site for site, _ in series), steps, values, measured)
