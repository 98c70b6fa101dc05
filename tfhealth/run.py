"""One recorded training, read-only: facts and series by site, epoch logs, notes, samples and histograms."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfhealth.histograms import Histogram
from tfhealth.samples import Samples
from tfhealth.series import BETWEEN_STEPS, FROM_HOST, Attribute, Panel, Probe, Series, Site, stack
from tfhealth.summaries import Summary

__all__ = ["Note", "Run", "Table"]

_KEPT = 40 << 20  # bytes of panels that are kept; those of most runs are fewer


@dataclass(frozen=True, eq=False)
class Table:
    """Probed steps that share one list of probes.

    Attributes:
        probes: the P probes, one a column.
        steps: int64[n], ascending.
        values: float32[n, P], as they are kept in the file.
    """

    probes: tuple[Probe, ...]
    steps: NDArray[np.int64]
    values: NDArray[np.floating[Any]]

    @functools.cached_property
    def columns(self) -> Mapping[Probe, int]:
        """The column of each probe."""
        return {probe: column for column, probe in enumerate(self.probes)}

    @functools.cached_property
    def measured(self) -> frozenset[tuple[str, str]]:
        """The statistics, each with the kind of sites."""
        return frozenset((probe.site.kind, probe.statistic) for probe in self.probes)

    @functools.cached_property
    def kinds(self) -> frozenset[str]:
        """The kinds of the sites that are measured."""
        return frozenset(probe.site.kind for probe in self.probes)


@dataclass(frozen=True, slots=True)
class Note:
    """Something that could not be measured, and why; `subject` is a site, a statistic or a hook."""

    subject: str
    why: str


@dataclass(frozen=True, eq=False)
class Run:
    """One training, recorded.

    Attributes:
        path: the run directory; None for a run that lives in memory only.
        meta: name, started, ended (UTC, ISO 8601), status (running, completed, interrupted, failed), versions …
        sites: every site seen with its attributes, in execution order, and what follows from them: the task.
        tables: the probed steps.
        logs: the epoch logs as {log site: Series}.
        notes: what could not be measured.
        samples: what the model was given, the first of each input and label of a batch, and what it predicted; empty
            where none were to be kept.
        summaries: what all probed batches of each input and label had in common; empty as above.
        histograms: of the weights, gradients, updates and activations that somebody asked for.
        damage: what was wrong with the file; empty for a sound one.
    """

    path: Path | None
    meta: Mapping[str, Any]
    sites: Mapping[Site, Mapping[str, Attribute]]
    tables: tuple[Table, ...] = ()
    logs: Mapping[Site, Series] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    damage: str = ""
    samples: tuple[Samples, ...] = ()
    summaries: tuple[Summary, ...] = ()
    histograms: Mapping[Site, Histogram] = field(default_factory=dict)

    @functools.cached_property
    def steps(self) -> NDArray[np.int64]:
        """All probed steps, int64[n], ascending; the host and validation write rows of their own at others.

        Those of experiments count where there is no training: of a preflight.
        """
        beside = FROM_HOST | BETWEEN_STEPS | ({"experiment"} if self.trained else set())
        probed = [table.steps for table in self.tables if not table.kinds <= beside]
        return np.unique(np.concatenate([np.empty(0, np.int64), *probed]))

    @property
    def trained(self) -> bool:
        """Whether this is a training, and not experiments alone."""
        return "preflight" not in self.meta

    @property
    def complete(self) -> bool:
        """Whether the training ended by itself and its file is sound."""
        return self.meta.get("status") == "completed" and not self.damage

    def fact(self, name: str) -> Attribute:
        """Return the attribute of a fact site, e.g. `optimizer.learning_rate`; None where it is not known."""
        site, _, attribute = name.partition(".")
        return self.sites.get(Site("fact", site), {}).get(attribute)

    def series(self, probe: Probe) -> Series | None:
        """Return what `probe` yielded, or None where it was never measured."""
        if probe.site.kind == "log":
            return self.logs.get(probe.site)
        found = [(table, table.columns[probe]) for table in self.tables if probe in table.columns]
        if not found:
            return None
        steps = np.concatenate([table.steps for table, _ in found])
        values = np.concatenate([table.values[:, column] for table, column in found]).astype(np.float64)
        order = np.argsort(steps, kind="stable")
        return Series(steps[order], values[order])

    @functools.cached_property
    def by_kind(self) -> Mapping[str, list[Site]]:
        """The sites of each kind, in execution order."""
        found: dict[str, list[Site]] = defaultdict(list)
        for site in self.sites:
            found[site.kind].append(site)
        return dict(found)

    def panel(self, kind: str, statistic: str) -> Panel:
        """Return the series of `statistic` at all sites of `kind` where it was measured, in execution order.

        Many rules look at the same ones: what was asked for lately is kept, and not to be written to.
        """
        found = self._panels.pop((kind, statistic), None)
        found = self._panel(kind, statistic) if found is None else found
        self._panels[kind, statistic] = found
        sizes = {key: panel.values.nbytes for key, panel in self._panels.items()}
        for key in list(sizes)[:-1]:
            if sum(sizes.values()) > _KEPT:
                del self._panels[key], sizes[key]
        return found

    @functools.cached_property
    def _panels(self) -> dict[tuple[str, str], Panel]:
        return {}

    def _panel(self, kind: str, statistic: str) -> Panel:
        sites = self.by_kind.get(kind, [])
        tables = [table for table in self.tables if (kind, statistic) in table.measured]
        if len(tables) == 1:
            return self._columns(tables[0], sites, statistic)
        found = [(site, self.series(Probe(site, statistic))) for site in sites]
        return stack([(site, series) for site, series in found if series is not None])

    @staticmethod
    def _columns(table: Table, sites: Sequence[Site], statistic: str) -> Panel:
        probes = [(site, Probe(site, statistic)) for site in sites]
        columns = [(site, table.columns[probe]) for site, probe in probes if probe in table.columns]
        values = table.values[:, [column for _, column in columns]].T.astype(np.float64, order="C")
        return Panel(tuple(site for site, _ in columns), table.steps, values, np.ones(values.shape, bool))
