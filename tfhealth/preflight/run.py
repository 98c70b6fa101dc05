"""`tfhealth.preflight`: experiments before a training -> a run, a verdict on it, and a report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from tfhealth import report
from tfhealth.console import summary
from tfhealth.diagnosis import evaluate
from tfhealth.errors import UsageError
from tfhealth.experiments import find, names
from tfhealth.plan import Plan
from tfhealth.preflight.laboratory import Laboratory
from tfhealth.preflight.source import Samples, gathered
from tfhealth.recorder import Recorder, run_directory
from tfhealth.result import Result
from tfhealth.rules import Checklist, load_checklist

__all__ = ["check_model", "preflight"]

_SEED = 1234


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
        verbose: 0 silent, 1 a progress bar and a summary at the end.

    Returns:
        The verdict. An experiment that failed is among its notes, and what it should have shown is not measured.

    Raises:
        UsageError, RuleError: at once, for arguments and rules that cannot be meant.

    Example:
        >>> import tfhealth
        >>> result = tfhealth.preflight(model, x_train, y_train, formats="html", verbose=0)
    """
    check_model(model)
    samples = gathered(x, y)
    validation = None if validation_data is None else _validation(validation_data)
    if isinstance(budget, bool) or not isinstance(budget, int | float) or not budget > 0:
        raise UsageError(f"budget must be a number of seconds above 0, received {budget!r}")
    kinds = report.parse_formats(formats)
    checklist = load_checklist(rules, profile)
    chosen = _chosen(experiments, checklist)
    folder = run_directory(Path("tfhealth_runs" if out is None else out), f"{model.name}-preflight").absolute()
    recorder = _open(folder)
    try:
        recorder.meta(name=f"{model.name}-preflight", preflight=list(chosen), budget=float(budget), seed=_SEED)
        laboratory = Laboratory(model, samples, validation, recorder, float(budget), _SEED)
        laboratory.record_facts()
        laboratory.run(chosen, verbose)
        recorder.finish("completed")
        run = recorder.snapshot()
    finally:
        recorder.close()
    result = evaluate(checklist, run)
    written = report.write_report(result, run, checklist, folder, kinds)
    if verbose:
        print(summary(result, written), flush=True)
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


def _validation(given: Any) -> Samples:
    """Return samples of what `fit` takes as `validation_data`."""
    if isinstance(given, tuple | list) and len(given) in (2, 3):
        return gathered(given[0], given[1], "validation_data")
    return gathered(given, None, "validation_data")


def _chosen(experiments: str | Sequence[str], checklist: Checklist) -> tuple[str, ...]:
    if experiments in ("quick", "full"):
        return tuple(name for name in _asked_for(checklist) if experiments == "full" or find(name).quick)
    return _named(experiments)


def _asked_for(checklist: Checklist) -> tuple[str, ...]:
    """Return the names of the experiments that a rule in force reads."""
    plan = Plan.of(checklist)
    return tuple(name for name in names() if plan.statistics("experiment", {"name": name}))


def _named(experiments: str | Sequence[str]) -> tuple[str, ...]:
    listed = experiments.split(",") if isinstance(experiments, str) else experiments
    chosen = tuple(dict.fromkeys(name.strip() for name in listed if name.strip()))
    if not chosen:
        raise UsageError(f"no experiment is named; legal: {', '.join(names())}")
    for name in chosen:
        try:
            find(name)
        except ValueError as error:
            raise UsageError(str(error)) from error
    return chosen
