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
from tfhealth.recorder import Recorder, run_directory
from tfhealth.result import Result
from tfhealth.rules import Checklist, load_checklist

__all__ = ["preflight"]

_SEED = 1234


def preflight(
    model: Any,
    x: Any,
    y: Any = None,
    experiments: str | Sequence[str] | None = None,
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
        x: inputs, an array or a structure of arrays; of a data set, one batch of it.
        y: targets, likewise.
        experiments: names, a list or one text with commas; by default what the rules in force read.
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
    _check_model(model)
    data = (_arrays(x, "x"), _arrays(y, "y"))
    _check_lengths(data)
    if isinstance(budget, bool) or not isinstance(budget, int | float) or not budget > 0:
        raise UsageError(f"budget must be a number of seconds above 0, received {budget!r}")
    kinds = report.parse_formats(formats)
    checklist = load_checklist(rules, profile)
    chosen = _asked_for(checklist) if experiments is None else _named(experiments)
    folder = run_directory(Path("tfhealth_runs" if out is None else out), f"{model.name}-preflight").absolute()
    recorder = _open(folder)
    try:
        recorder.meta(name=f"{model.name}-preflight", preflight=list(chosen), budget=float(budget), seed=_SEED)
        laboratory = Laboratory(model, data, recorder, float(budget), _SEED)
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


def _check_model(model: Any) -> None:
    if keras.backend.backend() != "tensorflow":
        raise UsageError(f"tfhealth tries Keras on TensorFlow; the backend is {keras.backend.backend()!r}.")
    if not isinstance(model, keras.Model):
        raise UsageError(f"model must be a Keras model, received {type(model).__name__}")
    if not model.compiled or getattr(model, "optimizer", None) is None:
        raise UsageError("the model is not compiled; call model.compile(optimizer, loss) first")


def _arrays(data: Any, name: str) -> Any:
    """Check that data are arrays; a data set is not read, since reading it can change what it yields later."""
    for one in keras.tree.flatten(data):
        if one is not None and not (hasattr(one, "shape") and hasattr(one, "__getitem__") and len(one.shape)):
            what = f"{name} must be an array or a structure of arrays, received {type(one).__name__}"
            raise UsageError(f"{what}; of a data set, pass one batch: x, y = next(iter(dataset))")
    return data


def _check_lengths(data: tuple[Any, Any]) -> None:
    lengths = {int(one.shape[0]) for part in data for one in keras.tree.flatten(part) if one is not None}
    if not lengths or not all(lengths):
        raise UsageError("x holds no samples")
    if len(lengths) > 1:
        raise UsageError(f"all arrays of x and y have the same number of samples, received {sorted(lengths)}")


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
