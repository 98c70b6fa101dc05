"""A judged run -> Weights & Biases: the verdict in the summary, what Keras logged, the report as an artifact."""

from __future__ import annotations

import re
from pathlib import Path

import wandb

from tfhealth.comparison import Judged
from tfhealth.export.documents import files, logged, verdict
from tfhealth.rules.checklist import Checklist

__all__ = ["export"]


def export(judged: Judged, checklist: Checklist, folder: Path | None) -> str:
    """Log to the run that is active, or to a new one below `folder`; its own settings say whether it is offline."""
    active = wandb.run
    run = active or wandb.init(
        project="tfhealth", name=judged.result.run.name, dir=None if folder is None else str(folder)
    )
    steps: dict[int, dict[str, float]] = {}
    for name, step, value in logged(judged):
        steps.setdefault(step, {})[name] = value
    for step in sorted(steps):
        run.log({**steps[step], "tfhealth/step": step})
    run.summary.update(verdict(judged))
    artifact = wandb.Artifact(re.sub(r"[^\w.-]", "_", f"tfhealth-{judged.result.run.name}"), type="report")
    with files(judged, checklist) as listed:
        for path in listed:
            artifact.add_file(str(path))
        run.log_artifact(artifact)
        if active is None:
            run.finish()
    return f"W&B run {run.id} in {run.dir}"
