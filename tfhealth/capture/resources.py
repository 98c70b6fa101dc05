"""Executions and the schedule's own account -> rows on the host: time of steps, share of data and probes, memory."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tfhealth.capture.fetches import Fetches
from tfhealth.capture.journal import Journal
from tfhealth.capture.memory import memory
from tfhealth.capture.rows import Layout
from tfhealth.capture.schedule import Schedule
from tfhealth.series import Probe, Site
from tfhealth.statistics import find

__all__ = ["Resources"]

_STEP = Site("time", "step")
_SECONDS = 1.0  # between two rows, but for the one at the end of an epoch


@dataclass(eq=False)
class Resources:
    """What a fit takes of the machine, recorded now and then: one row a second at most, and one an epoch.

    Args:
        journal: writes the run.
        schedule: knows what probes cost.
    """

    journal: Journal
    schedule: Schedule
    fetches: Fetches = field(default_factory=Fetches)
    _seconds: float = 0.0
    _steps: int = 0
    _written: float = field(default_factory=time.perf_counter)
    _layouts: dict[tuple[Probe, ...], Layout] = field(default_factory=dict)

    def begin(self) -> None:
        """Record the sites, so that what is not measured there is missed."""
        for position, site in enumerate([_STEP, *memory()]):
            self.journal.site(site, {}, position)

    def took(self, seconds: float, steps: int) -> None:
        """Take note of the wall time of one execution, from its beginning to that of the next."""
        self._seconds += seconds
        self._steps += steps

    def record(self, step: int, ended: bool = False) -> None:
        """Record what was seen since the last row, where it is time for one.

        Args:
            step: the last step that was begun.
            ended: whether an epoch ended.
        """
        now = time.perf_counter()
        if not self._steps or not (ended or now - self._written > _SECONDS):
            return
        found: dict[Site, Mapping[str, float]] = {_STEP: self._of_time(), **memory()}
        values = {Probe(site, name): value for site, known in found.items() for name, value in known.items()}
        self._seconds, self._steps, self._written = 0.0, 0, now
        self.journal.rows(self._layout(tuple(values)), np.array([step]), np.array([list(values.values())]))

    def _of_time(self) -> dict[str, float]:
        cost = self.schedule.cost
        return {
            "seconds": self._seconds / self._steps,
            **self.fetches.drain(self.schedule.price),
            **({} if cost is None else {"probe_share": min(cost, 1.0)}),
        }

    def _layout(self, probes: tuple[Probe, ...]) -> Layout:
        """Return the layout of a row; what is not known at a step has no column there, for NaN is a measured value."""
        if probes not in self._layouts:
            wanted = tuple((probe, find(probe.site.kind, probe.statistic)) for probe in probes)
            self._layouts[probes] = Layout((), {}, wanted)
        return self._layouts[probes]
