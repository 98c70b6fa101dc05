"""`tfhealth.preflight`: experiments before a training -> a run, a verdict on it, and a report."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from tfhealth import report
from tfhealth.capture.ahead import Ahead, trying
from tfhealth.console import summary
from tfhealth.diagnosis import evaluate
from tfhealth.errors import UsageError
from tfhealth.preflight.laboratory import Laboratory
from tfhealth.preflight.source import Samples, gathered
from tfhealth.preflight.untouched import untouched
from tfhealth.recorder import Recorder, run_directory
from tfhealth.result import Result
from tfhealth.rules import Checklist, load_checklist
from tfhealth.run import Run

__all__ = ["Order", "check_model", "examine", "preflight", "remedied", "validation_of"]

_SEED = 1234
_READING_SHARE = 0.25  # of the budget, that reading data which come in batches may take


def preflight(
    model: Any,
    x: Any,
    y: Any = None,
    experiments: str | Sequence[str] = "quick",
    validation_data: Any = None,
    rules: str | os.PathLike[str] | None = None,
    profile: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    out: str | os.PathLike[str] | None = None,
    formats: str | Sequence[str] = ("json", "html", "pdf"),
    budget: float = 60.0,
    verbose: int = 1,
    try_remedies: bool = False,
) -> Result:
    """Try what a fit does not show, on clones of the model; judge it by rules, and write a report.

    The model, its optimizer, the data and all random numbers to come are as before, bit for bit.

    Args:
        model: a compiled model.
        x: what `fit` takes: an array or a structure of arrays, a `tf.data.Dataset`, a `PyDataset` or a generator. At
            most 4,096 samples are used; a generator loses the batches that are taken from it.
        y: targets, where x is arrays.
        experiments: "quick", "full", or names, a list or one text with commas. By default "quick": what is a matter of
            seconds for a small network, as far as the rules in force read it.
        validation_data: (x, y) of arrays or one of the others, as for `fit`.
        rules: a folder of rule files, a pack's folder or the name of an installed pack, instead of the built-in rules.
        profile: which packs are in force and what differs in their rules; as for `HealthCallback`.
        out: folder in which the run directory is made, `tfhealth_runs/` by default.
        formats: any of "json", "html", "pdf", "junit", "md", or one string with commas.
        budget: seconds for all experiments together; what does not fit is not measured.
        verbose: 0 silent, 1 a progress bar, a line for each experiment, and a summary at the end.
        try_remedies: whether to try as well what the findings advise, where that is a concrete change: clones are
            trained with and without it, in what is left of the budget.

    Returns:
        The verdict. An experiment that failed is among its notes, and what it should have shown is not measured.

    Raises:
        UsageError, RuleError: at once, for arguments and rules that cannot be meant.
        KeyboardInterrupt: Ctrl-C; the report on what was tried until then is written first.

    Example:
        >>> import tfhealth
        >>> result = tfhealth.preflight(model, x_train, y_train, formats="html", verbose=0)
    """
    check_model(model)
    ahead = Ahead(experiments, budget, try_remedies)
    kinds = report.parse_formats(formats)
    checklist = load_checklist(rules, profile)
    order = Order(ahead, checklist, Path("tfhealth_runs" if out is None else out), kinds, verbose, str(model.name))
    with untouched(_SEED):
        samples = gathered(x, y, until=order.reads_until)
        validation = None if validation_data is None else validation_of(validation_data, order.reads_until)
    result, _ = examine(model, samples, validation, order)
    return result


@dataclass(frozen=True)
class Order:
    """What is to be tried, and what becomes of it.

    Attributes:
        ahead: which experiments, and how long they may take.
        checklist: the rules that judge them.
        out: the folder of the run directory.
        formats: which files to write.
        verbose: 0 silent, 1 not.
        name: of the model or the script; the run's is made of it.
    """

    ahead: Ahead
    checklist: Checklist
    out: Path
    formats: tuple[str, ...]
    verbose: int
    name: str

    @property
    def reads_until(self) -> float:
        """When to be done with reading data that come in batches, if that begins now."""
        return time.monotonic() + _READING_SHARE * self.ahead.budget


def examine(model: Any, samples: Samples, validation: Samples | None, order: Order) -> tuple[Result, Run]:
    """Run the experiments, judge them, and write the report, of what there is also after Ctrl-C.

    Raises:
        UsageError: the run directory cannot be written.
        KeyboardInterrupt: Ctrl-C.
    """
    name, budget = f"{order.name}-preflight", float(order.ahead.budget)
    chosen = order.ahead.chosen(order.checklist)
    recorder = _open(run_directory(order.out, name).absolute())
    try:
        recorder.meta(name=name, preflight=list(chosen), budget=budget, seed=_SEED)
        laboratory = Laboratory(model, samples, validation, recorder, budget, _SEED)
        laboratory.record_facts()
        laboratory.run(chosen, order.verbose)
        recorder.finish("interrupted" if laboratory.interrupted else "completed")
        run = recorder.snapshot()
    finally:
        recorder.close()
    result = evaluate(order.checklist, run)
    if order.ahead.try_remedies and not laboratory.interrupted:
        with trying():
            result = remedied(result, model, samples.x, samples.y, laboratory.seconds_left)
    assert run.path is not None
    written = report.write_report(result, run, order.checklist, run.path, order.formats)
    if order.verbose:
        print(summary(result, written), flush=True)
    if laboratory.interrupted:
        raise KeyboardInterrupt
    return result, run


def remedied(result: Result, model: Any, x: Any, y: Any, budget: float) -> Result:
    """Return the verdict with what its remedies did; after Ctrl-C without."""
    from tfhealth.preflight.remedies import try_remedies  # which checks models as is done here

    try:
        return try_remedies(result, model, x, y, budget=budget)
    except KeyboardInterrupt:
        return result


def _open(folder: Path) -> Recorder:
    try:
        return Recorder(folder)
    except Exception as error:
        raise UsageError(f"{folder} cannot be written: {error}") from error


def check_model(model: Any) -> None:
    """Raise `UsageError` where a model cannot be cloned and trained."""
    if keras.backend.backend() != "tensorflow":
        raise UsageError(f"tfhealth tries Keras on TensorFlow; the backend is {keras.backend.backend()!r}.")
    if not isinstance(model, keras.Model):
        raise UsageError(f"model must be a Keras model, received {type(model).__name__}")
    if not model.compiled or getattr(model, "optimizer", None) is None:
        raise UsageError("the model is not compiled; call model.compile(optimizer, loss) first")


def validation_of(given: Any, until: float) -> Samples:
    """Return samples of what `fit` takes as `validation_data`."""
    if isinstance(given, tuple | list) and len(given) in (2, 3):
        return gathered(given[0], given[1], "validation_data", until)
    return gathered(given, None, "validation_data", until)
