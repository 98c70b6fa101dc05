"""What was seen, what could not be measured, and what went wrong with us -> a Recorder, notes and few warnings."""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tfhealth.capture.rows import Layout
from tfhealth.capture.sites import Located
from tfhealth.recorder import Recorder
from tfhealth.run import Run
from tfhealth.series import Attribute, Floats, Ints, Site

__all__ = ["HealthWarning", "Journal"]

T = TypeVar("T")


class HealthWarning(UserWarning):
    """Something could not be watched; training goes on."""


@dataclass(eq=False)
class Journal:
    """Writes one run, and keeps every trouble with it from the user's training.

    Args:
        folder: the run directory; where it cannot be written, or not any more, the run stays in memory.
        settings: what to record of the run from its beginning.

    Attributes:
        steps_before: steps that the fits before this one took, of which the run goes on; 0 for a new run.
    """

    folder: Path
    settings: Mapping[str, Any]
    recorder: Recorder = field(init=False)
    steps_before: int = 0
    _facts_before: Mapping[Site, Mapping[str, Attribute]] = field(default_factory=dict)
    _layouts: dict[int, tuple[Layout, int]] = field(default_factory=dict)
    _warned: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        try:
            self.recorder = Recorder(self.folder)
        except Exception as error:  # an unwritable disk must not end a training
            self.warn("run directory", f"{self.folder} cannot be written ({error}); the run is kept in memory only")
            self.recorder = Recorder(None)
        with self.guarded("run directory"):
            self._go_on(self.recorder.snapshot())
        self.kept(self.recorder.meta, **self.settings)

    def _go_on(self, run: Run) -> None:
        """Take note of what the fits before this one left in the folder."""
        self.steps_before = int(run.meta.get("steps") or 0)
        self._facts_before = {site: told for site, told in run.sites.items() if site.kind == "fact"}

    def kept(self, write: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call a method of the recorder; where the disk lets it down, go on in memory."""
        try:
            return write(*args, **kwargs)
        except (sqlite3.Error, OSError) as error:
            what = f"{self.folder} cannot be written any more ({error}); the run goes on in memory"
            self.warn("run directory", what)
            self.recorder.keep_in_memory()
            return write(*args, **kwargs)

    def fact(self, name: str, attributes: Mapping[str, Attribute]) -> None:
        """Record what is known of a fit before it begins; in a run that goes on, what was recorded stands."""
        before = self._facts_before.get(Site("fact", name))
        if before is None:
            self.site(Site("fact", name), attributes)
            return
        for key, value in attributes.items():
            if key != "initial_step" and before.get(key) != value:
                then, now = repr(before.get(key)), f"{value!r} after {self.steps_before} steps"
                self.note(f"fact {name}", f"{key} was {then} when the run began, and is {now}")

    def site(self, site: Site, attributes: Mapping[str, Attribute], position: int = 0) -> None:
        """Record one site, as the model has it rather than as a step showed it."""
        self.kept(self.recorder.site, site, attributes, position)

    def seen(self, located: Sequence[Located]) -> None:
        """Record the sites of a step."""
        for one in located:
            position = one.attributes.get("position")
            self.site(one.site, one.attributes, position if isinstance(position, int) else 0)

    def rows(self, layout: Layout, steps: Ints, values: Floats) -> None:
        """Record probed steps: steps int64[n], values float64[n, P] in the layout's order."""
        if id(layout) not in self._layouts:
            self._layouts[id(layout)] = (layout, self.kept(self.recorder.layout, layout.probes))
        self.kept(self.recorder.append, self._layouts[id(layout)][1], steps, values)

    def take_over(self, run: Run) -> None:
        """Record what experiments yielded before this fit, so that one verdict is on both."""
        for site, attributes in run.sites.items():
            if site.kind == "experiment":
                self.site(site, attributes)
        for table in run.tables:
            if table.kinds == {"experiment"}:
                layout = self.kept(self.recorder.layout, table.probes)
                self.kept(self.recorder.append, layout, table.steps, table.values)
        for note in run.notes:
            if note.subject.startswith("experiment "):
                self.note(note.subject, note.why)

    def note(self, subject: str, why: str) -> None:
        """Record that something is not measured, and why; no fault of anybody."""
        with self.guarded("notes"):
            self.kept(self.recorder.note, subject, why)

    def failed(self, subject: str, error: BaseException) -> None:
        """Record that something could not be measured because it raised, and warn once a fit."""
        text = str(error)  # TensorFlow says the cause after a traceback, Python before it
        short = text if len(text) <= 500 else f"{text[:250]} … {text[-250:]}"
        why = f"{type(error).__name__}: {short}"
        self.warn("probes", f"{subject} is not measured: {why}")
        try:
            self.kept(self.recorder.note, subject, why)
        except Exception as second:  # the warning is all that can be given
            self.warn("run directory", f"the run directory cannot be written: {second}")

    @contextmanager
    def guarded(self, subject: str) -> Iterator[None]:
        """Keep what the block raises from the user's training: one warning, one note."""
        try:
            yield
        except Exception as error:
            self.failed(subject, error)

    def warn(self, kind: str, what: str) -> None:
        """Warn once for each kind of trouble, also where the user turned warnings into errors."""
        if kind in self._warned:
            return
        self._warned.add(kind)
        with suppress(HealthWarning):
            warnings.warn(f"tfhealth: {what}", HealthWarning, stacklevel=2)
