"""Names of experiments -> what they yielded, in a Recorder; or a note why it is not there."""

from __future__ import annotations

import logging
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tfhealth.capture import facts
from tfhealth.capture.ahead import trying
from tfhealth.experiments import Experiment, Inapplicable, find
from tfhealth.preflight.source import Samples
from tfhealth.preflight.supply import OutOfTime
from tfhealth.preflight.trial import Trial, brief
from tfhealth.preflight.untouched import untouched
from tfhealth.recorder import Recorder
from tfhealth.series import Floats, Probe, Site

__all__ = ["Laboratory"]


@dataclass(eq=False)
class Laboratory:
    """Runs experiments one after another.

    Args:
        model: the caller's compiled model.
        samples: its inputs and targets.
        validation: those of the validation data, or None.
        recorder: where everything goes.
        budget: seconds for all experiments together, from now on.
        seed: with which each experiment begins.

    Attributes:
        interrupted: whether Ctrl-C ended the work.
    """

    model: Any
    samples: Samples
    validation: Samples | None
    recorder: Recorder
    budget: float
    seed: int
    interrupted: bool = False
    _began: float = field(default_factory=time.monotonic)

    def record_facts(self) -> None:
        """Record what the model says of itself, as for a fit."""
        try:
            found, layers, failed = facts.collect(self.model, {}, [])
        except Exception as error:
            self.recorder.note("facts", _told(error))
            return
        for name, attributes in found.items():
            self.recorder.site(Site("fact", name), attributes)
        for layer, attributes, position in layers:
            self.recorder.site(layer, attributes, position)
        for subject, why in failed:
            self.recorder.note(subject, why)

    def run(self, names: Sequence[str], verbose: int) -> None:
        """Run the experiments by their names, behind a progress bar on standard error; Ctrl-C ends it, with a note."""
        with _bar(verbose) as progress:
            task = progress.add_task("preflight", total=len(names), budget=f"of {self.budget:g} s")
            for place, name in enumerate(names):
                progress.update(task, description=f"preflight: {name}")
                try:
                    seconds, came = self._attempt(name)
                except KeyboardInterrupt:
                    self.interrupted = True
                    for other in names[place:]:
                        self.recorder.site(Site("experiment", other), {})
                        self._noted(other)("not measured: Ctrl-C ended the preflight")
                    return
                if verbose:
                    line = f"  {name}: {seconds:.1f} s{came and ', '}{came}"
                    progress.console.print(line, markup=False, highlight=False, soft_wrap=True)
                progress.advance(task)

    def _attempt(self, name: str) -> tuple[float, str]:
        """Run one experiment; return how long it took, and what kept it from its end, empty where nothing did."""
        site = Site("experiment", name)
        began = time.monotonic()
        inapplicable, came = None, ""
        try:
            found = find(name)
            values = _checked(found, self._yielded(found))
        except OutOfTime:
            came = f"the budget of {self.budget:g} s ended during it" if began < self._deadline else self._late()
            self.recorder.note(str(site), f"not measured: {came}; a larger one is `budget=` or `--budget`")
        except Inapplicable as reason:
            inapplicable = str(reason)
            came = f"does not apply: {inapplicable}"
        except (Exception, SystemExit) as error:
            came = f"not measured: {_told(error)}"
            self.recorder.note(str(site), came)
        else:
            self._write(site, values)
        seconds = time.monotonic() - began
        self.recorder.site(site, {"seconds": round(seconds, 3), "inapplicable": inapplicable})
        return seconds, came

    @property
    def _deadline(self) -> float:
        return self._began + self.budget

    @property
    def seconds_left(self) -> float:
        """What is left of the budget, at least 0."""
        return max(0.0, self._deadline - time.monotonic())

    def _late(self) -> str:
        return f"the budget of {self.budget:g} s was used up before it"

    def _yielded(self, one: Experiment) -> Any:
        """Return what an experiment yields; whatever it draws, the next one begins with the same seed."""
        trial = Trial(self.seed, self.samples, self.validation, self._deadline, self.model, self._noted(one.name))
        trial.check_time()
        with untouched(self.seed), trying(), _quiet():
            return one.run(trial)

    def _noted(self, name: str) -> Callable[[str], None]:
        return partial(self.recorder.note, str(Site("experiment", name)))

    def _write(self, site: Site, values: Mapping[str, Floats]) -> None:
        """Record series, those of the same length side by side."""
        self.recorder.site(site, {})
        lengths: dict[int, list[str]] = defaultdict(list)
        for statistic, series in values.items():
            lengths[len(series)].append(statistic)
        for length, statistics in lengths.items():
            layout = self.recorder.layout([Probe(site, statistic) for statistic in statistics])
            rows = np.stack([values[statistic] for statistic in statistics], axis=1)
            self.recorder.append(layout, np.arange(length, dtype=np.int64), rows)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep TensorFlow from advice on retracing, which is about clones."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _bar(verbose: int) -> Progress:
    """Return a bar with the seconds gone by and those there are; it goes when it is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    clock = (TimeElapsedColumn(), TextColumn("{task.fields[budget]}"))
    return Progress(*columns, *clock, console=Console(file=sys.stderr), disable=not verbose, transient=True)


def _checked(one: Experiment, found: Any) -> dict[str, Floats]:
    """Return what was yielded as float64[n] each.

    Raises:
        TypeError, ValueError: it is something else than was declared.
    """
    declared = ", ".join(one.statistics)
    if not isinstance(found, Mapping):
        raise TypeError(f"it declares {declared}, but yielded no mapping: {type(found).__name__}")
    if set(found) != set(one.statistics):
        raise ValueError(f"it declares {declared}, but yielded {', '.join(map(str, found)) or 'nothing'}")
    values = {}
    for statistic in one.statistics:
        try:
            series = np.asarray(found[statistic], np.float64)
        except (TypeError, ValueError):
            raise TypeError(f"{statistic} is no sequence of numbers") from None
        if series.ndim != 1 or not len(series):
            raise ValueError(f"{statistic} must be a sequence of numbers, at least one, received shape {series.shape}")
        values[statistic] = series
    return values


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {brief(str(error))}"
