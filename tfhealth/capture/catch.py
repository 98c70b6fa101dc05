"""Flags of every step -> at the first one that was hit: its record, what it began from, and the end of the training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from tfhealth.capture import exact, kept
from tfhealth.capture.handwritten import Loop
from tfhealth.capture.journal import Journal
from tfhealth.capture.keep import Keeper
from tfhealth.capture.kept import Kept, Place
from tfhealth.capture.nonfinite import Flags, Hit
from tfhealth.capture.probes import Probes
from tfhealth.capture.rows import Layout
from tfhealth.capture.step import ProbedStep
from tfhealth.plan import Plan
from tfhealth.series import Probe, Site
from tfhealth.statistics import find

__all__ = ["Catch", "beside"]

_STATISTIC = "nonfinite"


def beside(model: Any, journal: Journal, probes: Probes) -> Catch | None:
    """Return what watches every step, beside the probes of some; None, and a note, where it cannot."""
    if probes.strategy.num_replicas_in_sync > 1:
        journal.note("catch_nonfinite", "replicas begin from batches and weights of their own; it is for one of them")
        return None
    return Catch(model, journal, probes)


@dataclass(eq=False)
class Catch:
    """Looks for NaN and Inf in every step of one fit.

    Args:
        model: the model that is trained.
        journal: of the run.
        probes: of the steps that are probed, which raise flags from now on as well.

    Attributes:
        flags: of every step.
        keeper: keeps what each step begins from.
        step: in the place of the steps that are not probed: the user's own step, with flags.
        told: what was found, one sentence; empty as long as nothing was.
    """

    model: Any
    journal: Journal
    probes: Probes
    flags: Flags = field(init=False)
    keeper: Keeper = field(init=False)
    step: ProbedStep = field(init=False)
    told: str = ""
    _hit: Hit | None = None

    def __post_init__(self) -> None:
        probes = self.probes
        self.flags = probes.flags = Flags()
        self.keeper = Keeper(self.model, self.flags)
        exact.ready(self.model, begun=False)  # an optimizer that is there before the first step can be kept
        same = (probes.first_step, probes.note, probes.failed, probes.seen, probes.capacity, self.flags)
        flagged = Probes(self.model, probes.strategy, Plan(()), *same)
        self.step = ProbedStep(self.model, flagged, keeper=self.keeper)

    def found(self) -> bool:
        """Tell whether a step of the execution that ended was hit; waits for the device."""
        if not self.told:
            self._hit = self.flags.hit()
        return self._hit is not None and not self.told

    def act(self) -> None:
        """Record and keep the step that was hit, and end the training."""
        found = self._hit
        assert found is not None
        self.told = f"NaN or Inf appeared in step {found.step}, first in {found.sites[0]}; the training was stopped"
        self.model.stop_training = True
        with self.journal.guarded("catch_nonfinite"):
            self._record(found)
        with self.journal.guarded("catch_nonfinite"):
            self._keep(found)
        self.journal.note("catch_nonfinite", self.told)

    def _record(self, found: Hit) -> None:
        """Record the flags of the step, and of the clean one before it, as what a probe would have seen there."""
        steps = [found.step - 1, found.step][found.step <= self.probes.first_step :]
        in_step = {site: count for site, count in found.counts.items() if site.kind != "update"}
        self._rows(in_step, steps)
        # The weights that a step leaves behind are those before the next one.
        left = {Site("weight", one.name): count for one, count in found.counts.items() if one.kind == "update"}
        self._rows(left, [step + 1 for step in steps])

    def _rows(self, counts: dict[Site, int], steps: Sequence[int]) -> None:
        """Record flags at these steps, the last of which is the one that was hit, where no probe did."""
        probes = [Probe(site, _STATISTIC) for site in counts]
        tables = [one for one in self.journal.recorder.snapshot().tables if not set(probes).isdisjoint(one.probes)]
        known = {int(step) for table in tables for step in table.steps}
        new = [step for step in steps if step not in known]
        if not new or not counts:
            return
        layout = Layout((), {}, tuple((probe, find(probe.site.kind, _STATISTIC)) for probe in probes))
        flags = [float(count > 0) for count in counts.values()]
        values = np.array([flags if step == steps[-1] else [0.0] * len(flags) for step in new])
        self.journal.rows(layout, np.array(new, np.int64), values)

    def _keep(self, found: Hit) -> None:
        """Write the batch and the variables into the run directory."""
        folder = self.journal.recorder.folder
        if folder is None:
            self.told += "; nothing was kept, since there is no run directory"
            return
        batch, state = self.keeper.kept()
        lacks = list(self.keeper.lacks)
        if not state and not lacks:
            lacks.append("there were no weights before the step: it is the one that built the model")
        model, why = (None, "") if isinstance(self.model, Loop) else _written_down(self.model)
        places = tuple(Place(kind=one.kind, name=one.name, count=found.counts[one]) for one in found.sites)
        arrays = [(variable, np.asarray(value)) for variable, value in state]
        lacks += [why] if why else []
        told = Kept(found.step, places, arrays, batch, isinstance(self.model, Loop), model, tuple(lacks))
        kept.write(folder, told)
        self.told += "; what it began from is kept in the run directory, and `tfhealth replay` shows where it began"


def _written_down(model: Any) -> tuple[Any, str]:
    """Return the model as Keras writes it down, and what is wrong with that."""
    try:
        return keras.saving.serialize_keras_object(model), ""
    except Exception as error:  # classes of the user's own may raise anything
        return None, f"the model could not be written down: {type(error).__name__}: {error}"
