"""What somebody asked for beside the statistics, samples and histograms -> a probed step, and from it to the run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfhealth.capture.journal import Journal
from tfhealth.capture.replica import Replica
from tfhealth.capture.sheet import Sheet
from tfhealth.capture.sites import Located
from tfhealth.capture.sketches import Sketches
from tfhealth.capture.totals import Totals
from tfhealth.errors import UsageError
from tfhealth.histograms import KINDS
from tfhealth.rules.patterns import matches
from tfhealth.samples import MOST

__all__ = ["Asked", "Extras"]

_REST = 5.0  # seconds between two looks at samples and summaries


@dataclass(frozen=True)
class Asked:
    """What to keep of a fit beside its statistics.

    Args:
        samples: how many samples of a batch, 0 to 16; with 0 nothing at all is kept that the data were made of.
        histograms: globs of the layers and variables whose values are counted; none: nothing is.

    Raises:
        UsageError: something else was given.
    """

    samples: int
    histograms: Sequence[str]

    def __post_init__(self) -> None:
        whole = isinstance(self.samples, int) and not isinstance(self.samples, bool)
        if not whole or not 0 <= self.samples <= MOST:
            raise UsageError(f"samples must be a whole number from 0 to {MOST}, received {self.samples!r}")
        listed = isinstance(self.histograms, list | tuple)
        if not listed or not all(isinstance(one, str) and one for one in self.histograms):
            raise UsageError(f'histograms must be a list of names, such as ["dense*"], received {self.histograms!r}')


class Extras:
    """Keeps what was asked for, of one fit.

    Args:
        asked: what that is.
        journal: of the run.
        replicas: that run the step.
        params: what Keras tells callbacks of the fit.
    """

    def __init__(self, asked: Asked, journal: Journal, replicas: Sequence[Replica], params: Mapping[str, Any]) -> None:
        self._journal, self._globs = journal, tuple(asked.histograms)
        devices = [one.device for one in replicas]
        epochs, steps = params.get("epochs"), params.get("steps")
        last = epochs * steps - 1 if epochs and steps else None
        # A run that goes on has its samples.
        kept = 0 if journal.steps_before else asked.samples
        self._sheet, self._totals = Sheet(kept, devices[0]), Totals(devices if kept else ())
        self._next = 0.0
        self._sketches = Sketches(self._globs, last, devices) if self._globs else None

    def due(self, step: int, count: int) -> bool:
        """Tell whether an execution must be probed, whatever the schedule says."""
        return self._sketches is not None and self._sketches.due(step, count)

    def expect(self) -> None:
        """Prepare for one execution."""
        if self._sketches is not None:
            self._sketches.expect()

    @property
    def pending(self) -> bool:
        """Whether the host should ask before the next execution."""
        return self._sketches is not None and self._sketches.pending

    def write(self, located: Sequence[Located], replicas: Sequence[Replica], here: Replica) -> None:
        """Add to a step samples and summaries of its data.

        Args:
            located: its sites.
            replicas: all of them.
            here: the one that is traced.
        """
        number = replicas.index(here)
        if number == 0:
            with self._journal.guarded("samples"):
                self._sheet.write(located, here.counter.value())
        with self._journal.guarded("summaries"):
            self._totals.write(located, number)

    def count(
        self, located: Sequence[Located], tensor: Callable[[Located], Any], replicas: Sequence[Replica], here: Replica
    ) -> None:
        """Add to a step the histograms that were asked for; `tensor` returns the tensor of a site, or None."""
        if self._sketches is None:
            return
        with self._journal.guarded("histograms"):
            found = {one.site: tensor(one) for one in located if self._chosen(one)}
            chosen = {site: one for site, one in found.items() if one is not None}
            if chosen:
                self._sketches.write(chosen, replicas.index(here), here.counter.value())

    def _chosen(self, one: Located) -> bool:
        return one.site.kind in KINDS and any(matches(f"**/{glob}", one.site.name) for glob in self._globs)

    def drain(self, ended: bool) -> None:
        """Bring what the device keeps to the file; what only the last state of counts now and then, and at the end."""
        recorder, now = self._journal.recorder, time.monotonic()
        if ended or now >= self._next:
            self._next = now + _REST
            if found := self._sheet.take():
                self._journal.kept(recorder.samples, found)
            if summaries := list(self._totals.take()):
                self._journal.kept(recorder.summaries, summaries)
        for step, counts in () if self._sketches is None else self._sketches.take():
            self._journal.kept(recorder.histograms, step, counts)
