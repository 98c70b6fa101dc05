"""`HealthCallback`: Keras's hooks -> a watched fit, a verdict on the console, and a report."""

from __future__ import annotations

import copy
import os
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import keras

from tfhealth import baseline, report
from tfhealth.capture.ahead import Ahead, TriedAhead, asked, readable_twice, try_ahead
from tfhealth.capture.extras import Asked
from tfhealth.capture.facts.data import described
from tfhealth.capture.replica import is_chief
from tfhealth.capture.schedule import Schedule
from tfhealth.capture.session import HealthWarning
from tfhealth.capture.told import Facts, checked
from tfhealth.capture.validation import Validation
from tfhealth.capture.watch import Watch
from tfhealth.destination import asked_to_send, destination
from tfhealth.errors import UsageError
from tfhealth.report import notebook
from tfhealth.result import Result
from tfhealth.rules import load_checklist
from tfhealth.samples import FEW
from tfhealth.series import Attribute

__all__ = ["DEFAULT_OUT", "HealthCallback"]

DEFAULT_OUT = "tfhealth_runs"


class HealthCallback(keras.callbacks.Callback):  # type: ignore[misc] # Keras is untyped
    """Watches a fit, judges it, and writes a report; training itself is not changed.

    Args:
        every: N probes every N-th step; "auto" probes the first steps, then fewer, then what `overhead` allows.
        overhead: share of the wall time that probing may cost under "auto".
        rules: a folder of rule files, a pack's folder or the name of an installed pack, instead of the built-in rules.
        out: folder in which the run directory is made, `tfhealth_runs/` by default.
        formats: any of "json", "html", "pdf", "junit", "md", or one string with commas.
        on_fail: "stop" ends training at the first critical finding; "report" only says so.
        verbose: 0 silent, 1 at most one line an epoch and a summary at the end.
        exact: take statistics in a second pass from the same state, so that training stays bit-identical with
            `jit_compile=True` too. Costs one more forward and backward pass on probed steps.
        name: name of the run; the script's or the model's by default.
        profile: which packs are in force and what differs in their rules: a YAML file, a pyproject.toml, or what
            would be in it as a mapping. Without `rules`, by default the nearest pyproject.toml at or above the
            working directory that has a table `[tool.tfhealth]`.
        facts: what only you know, for rules to judge: {site: {name: text, number, True, False or None}}. What was
            recorded stands, except of `data` and `fit`.
        data: what you give to fit as x, or (x, y), where `tfhealth run` does not see it: an array, several, or a data
            set. It is described in the fact `data` when the callback is made; nothing of it is iterated or kept, but
            for a preflight.
        catch_nonfinite: look for NaN and Inf in every step, and stop training at the first one. The batch of that step,
            as it is, and the weights before it are kept in the run directory, for `tfhealth replay`. Costs memory for a
            copy of all variables, and time in every step.
        samples: how many samples of the first probed batch, with their labels, are kept for the report: small images,
            or the first numbers of each; at most 16. 0 keeps none, where data are private.
        histograms: names of layers and variables, with `*`, `?` and `**` as in a profile, whose weights, gradients,
            updates and activations are counted by size at a few steps, e.g. `["dense*", "encoder/**/kernel"]`.
        again: what a further fit with this callback is: "new" makes it a run of its own; "continue" adds it to the run
            of the fit before, whose facts stand, with a note for each that differs.
        refresh: write report.html anew while training goes on, at most every so many seconds; another process does it,
            on another core where there is one. None: only at the end.
        start: no step of a fit before this one is probed, but in a window; rules about the first steps are not
            measured then.
        windows: stretches of steps, each as (first, end) with `end` not included, of which every step is probed, beside
            what `every` says: where you know that something happens.
        preflight: experiments before the first fit, as of `tfhealth.preflight`, whose series are judged with that fit:
            "quick", "full", names, or a mapping with any of "experiments", "budget" and "try_remedies". A callback does
            not see what `fit` is given, so it takes `data`, which must be something that can be read twice.

    Raises:
        UsageError, RuleError: at once, for arguments and rules that cannot be meant.

    Example:
        >>> from tfhealth import HealthCallback
        >>> callback = HealthCallback(every=10, formats="html", facts={"data": {"validation_share": 0.2}})
    """

    async_safe = True

    def __init__(
        self,
        every: int | Literal["auto"] = "auto",
        overhead: float = 0.02,
        rules: str | os.PathLike[str] | None = None,
        out: str | os.PathLike[str] | None = None,
        formats: str | Sequence[str] = ("json", "html", "pdf"),
        on_fail: Literal["report", "stop"] = "report",
        verbose: int = 1,
        exact: bool = False,
        name: str | None = None,
        profile: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        facts: Mapping[str, Mapping[str, Attribute]] | None = None,
        data: Any = None,
        catch_nonfinite: bool = False,
        samples: int = FEW,
        histograms: Sequence[str] = (),
        again: Literal["new", "continue"] = "new",
        refresh: float | None = None,
        start: int = 0,
        windows: Sequence[tuple[int, int]] = (),
        preflight: str | Sequence[str] | Mapping[str, Any] | None = None,
        server: str | None = None,
        token: str | None = None,
        project: str | None = None,
    ) -> None:
        super().__init__()
        if keras.backend.backend() != "tensorflow":
            raise UsageError(f"tfhealth watches Keras on TensorFlow; the backend is {keras.backend.backend()!r}.")
        if on_fail not in ("report", "stop"):
            raise UsageError(f'on_fail must be "report" or "stop", received {on_fail!r}')
        if again not in ("new", "continue"):
            raise UsageError(f'again must be "new" or "continue", received {again!r}')
        Schedule(every, overhead, start, windows)  # validates them
        if refresh is not None and not refresh > 0:
            raise UsageError(f"refresh must be a number of seconds above 0, received {refresh!r}")
        self.destination = destination(server, token, project) if asked_to_send(server) else None
        notebook.register()
        self.formats = report.parse_formats(formats)
        self.every, self.overhead, self.start, self.windows = every, overhead, start, tuple(windows)
        self.on_fail, self.verbose, self.exact = on_fail, verbose, exact
        self.catch_nonfinite = catch_nonfinite
        self.asked = Asked(samples, histograms)
        self.name, self.out, self.again = name, Path(DEFAULT_OUT if out is None else out), again
        self.facts: Facts = checked({} if facts is None else facts)
        self.described: Facts = {} if data is None else {"data": described(data)}
        self.told: Facts = {}
        self.others: Sequence[Any] | None = None
        self.ahead: Ahead | None = asked(preflight)
        self.data: Mapping[str, Any] | None = None
        self.tried: TriedAhead | None = None
        if self.ahead is not None:
            self.data = readable_twice(data)  # of a copy as well: it is what that one's first fit is given
        self.result: Result | None = None
        self.run_dir: Path | None = None
        self.checklist = load_checklist(rules, profile)
        self.refresh, self.rules, self.profile = refresh, rules, profile
        if self.checklist.baseline is not None:
            baseline.read(self.checklist.baseline)  # a fault in it must not wait for the end of the training
        self._watch: Watch | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return the settings without a model or a run: what is copied or pickled watches a fit of its own."""
        state = {name: value for name, value in vars(self).items() if name != "_finalizer"}
        blank: dict[str, Any] = vars(keras.callbacks.Callback())  # no model, no parameters
        cleared = dict.fromkeys(("others", "tried", "result", "run_dir", "_watch"))
        return state | blank | cleared | {"told": dict(self.told)}

    def __deepcopy__(self, memo: dict[int, Any]) -> HealthCallback:
        """Return a callback with the same settings and no run: tuners copy callbacks for every trial."""
        return copy.copy(self)

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Start a run."""
        self.close("interrupted")  # a fit before this one that never reached its end
        if not is_chief(self.model.distribute_strategy):
            return  # of several workers one writes
        if self.ahead is not None and self.data is not None:
            self.tried = try_ahead(self, self.model, self.data)
            self.data = None
        try:
            self._watch = Watch(self)
        except Exception as error:  # nothing of ours may end a training before it begins
            with suppress(HealthWarning):
                what = f"tfhealth: this fit is not watched: {type(error).__name__}: {error}"
                warnings.warn(what, HealthWarning, stacklevel=2)
            return
        # A fit that raises or is interrupted between our hooks never tells us; the callback's own end does.
        self._finalizer = weakref.finalize(self, self._watch.close, "interrupted")

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Keep time from here."""
        if self._watch is not None:
            self._watch.session.epoch_begin()

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Decide whether the execution that begins is probed."""
        if self._watch is not None:
            self._watch.session.batch_begin(batch)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Count the execution that ended; Keras does not call this for one that found no more data."""
        if self._watch is not None:
            self._watch.session.batch_end(batch)

    def on_test_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Begin a pass over the validation data."""
        self._validate(lambda validation: validation.begin())

    def on_test_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Decide whether the evaluation of a batch is probed."""
        self._validate(lambda validation: validation.batch_begin(batch))

    def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Record what the validation data showed."""
        self._validate(lambda validation: validation.end())

    def _validate(self, act: Callable[[Validation], None]) -> None:
        if self._watch is not None and self._watch.session.validation is not None:
            with self._watch.session.guarded("validation"):
                act(self._watch.session.validation)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Record the epoch, and say what is new."""
        if self._watch is not None:
            self._watch.epoch_end(epoch, logs or {})

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Judge the run and write the report."""
        self.close("completed")

    def close(self, status: str = "interrupted") -> None:
        """End the run that is open, if there is one; for a fit that raised, when `tfhealth run` did not call it."""
        watch, self._watch = self._watch, None
        if watch is not None:
            self._finalizer.detach()
            watch.close(status)
