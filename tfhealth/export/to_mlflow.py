"""A judged run -> MLflow: the verdict as tags, what Keras logged as metrics, the report as artifacts."""

from __future__ import annotations

import math
from contextlib import nullcontext
from pathlib import Path

import mlflow

from tfhealth.comparison import Judged
from tfhealth.errors import UsageError
from tfhealth.export.documents import files, logged, verdict
from tfhealth.rules.checklist import Checklist

__all__ = ["export"]


def export(judged: Judged, checklist: Checklist, folder: Path | None) -> str:
    """Log to the MLflow run that is active, or to a new one.

    Raises:
        UsageError: a folder is named; MLflow keeps its runs where the tracking URI says.
    """
    if folder is not None:
        raise UsageError("MLflow keeps runs where MLFLOW_TRACKING_URI says, so no folder can be named.")
    active = mlflow.active_run()
    with files(judged, checklist) as listed, nullcontext(active) if active else mlflow.start_run() as run:
        mlflow.set_tags(verdict(judged))
        for name, step, value in logged(judged):
            if math.isfinite(value):
                mlflow.log_metric(_legal(name), value, step=step)
        for path in listed:
            mlflow.log_artifact(str(path), artifact_path="tfhealth")
        return f"MLflow run {run.info.run_id} in {mlflow.get_tracking_uri()}"


def _legal(name: str) -> str:
    """Return a name of letters that MLflow accepts."""
    return "".join(letter if letter.isalnum() or letter in "_-. /" else "_" for letter in name)
