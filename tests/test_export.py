"""A run handed to TensorBoard, MLflow and W&B, read back as they keep it; and a verdict below a cell of a notebook."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

from tests.helpers import write_rules
from tests.test_compare import FILES, record
from tfhealth.cli.exits import Exit
from tfhealth.cli.main import main
from tfhealth.comparison import Judged
from tfhealth.diagnosis import evaluate
from tfhealth.errors import UsageError
from tfhealth.export import EXPORTS, Export, export
from tfhealth.report.notebook import fragment
from tfhealth.rules import Checklist, load_checklist


@pytest.fixture
def checklist(tmp_path: Path) -> Checklist:
    return load_checklist(write_rules(tmp_path / "rules", FILES))


@pytest.fixture
def judged(tmp_path: Path, checklist: Checklist) -> Judged:
    run = record(tmp_path / "run", 9.0, 0.1, [2.0, 1.5])
    return Judged(run, evaluate(checklist, run))


def test_tensorboard_reads_probes_and_logs(judged, checklist, tmp_path):
    """By its own reader: every probe and every logged value, at its step."""
    told = export(judged, checklist, "tensorboard", tmp_path / "events")
    assert str(tmp_path / "events") in told
    (file,) = (tmp_path / "events").iterdir()
    events = [event for event in LegacyEventFileLoader(str(file)).Load() if event.summary.value]
    found = [(one.summary.value[0].tag, one.step, one.summary.value[0].simple_value) for one in events]
    assert [one[1:] for one in found if one[0] == "epoch/val_loss"] == [(10, 4), (20, 3)]
    assert [one[1:] for one in found if one[0] == "activation.std/dense"] == [(step, 9) for step in range(20)]
    assert len(found) == 24


def outside(code: str, folder: Path, **environment: str) -> str:
    """Run code in another process, where a tool's threads and warnings are its own; return what it prints last."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()[-1]


def command(run: Path, rules: Path, to: str) -> str:
    arguments = ["export", str(run), "--to", to, "--rules", str(rules)]
    return f"from tfhealth.cli.main import main; assert main({arguments!r}) == 0"


def test_mlflow_has_the_verdict_and_the_report(judged, tmp_path):
    """Tags, metrics and artifacts, by MLflow's own client."""
    read = """
import json, mlflow
client = mlflow.MlflowClient()
(run,) = client.search_runs([client.get_experiment_by_name("Default").experiment_id])
files = sorted(one.path for one in client.list_artifacts(run.info.run_id, "tfhealth"))
history = [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, "val_loss")]
print(json.dumps([run.data.tags["tfhealth.verdict"], run.data.tags["tfhealth.leading_rule"], history, files]))
"""
    told = outside(
        command(tmp_path / "run", tmp_path / "rules", "mlflow") + read,
        tmp_path,
        MLFLOW_TRACKING_URI=(tmp_path / "mlruns").as_uri(),
        MLFLOW_ALLOW_FILE_STORE="true",
    )
    files = [f"tfhealth/{name}" for name in ("report.html", "report.pdf", "result.json")]
    assert json.loads(told) == ["fail", "ACT901", [[10, 4.0], [20, 3.0]], files]


def test_wandb_has_the_verdict_and_the_report(judged, tmp_path):
    """Offline: the run's own file holds the verdict, and the artifact names the report."""
    code = command(tmp_path / "run", tmp_path / "rules", "wandb")
    told = outside(code, tmp_path, WANDB_MODE="offline", WANDB_SILENT="true", WANDB_DIR=str(tmp_path))
    assert told.startswith("tfhealth: W&B run ")
    (file,) = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    held = file.read_bytes()
    assert all(one in held for one in (b"tfhealth.verdict", b"ACT901", b"report.html", b"val_loss"))


def test_what_cannot_be_meant_is_refused(judged, checklist, tmp_path, capsys):
    """An unknown tool with the nearest, a missing package with its extra, a folder where none can be named."""
    with pytest.raises(UsageError, match=r"'tensorbord' is unknown; legal: tensorboard, mlflow, wandb; did you mean"):
        export(judged, checklist, "tensorbord")
    with pytest.raises(UsageError, match=r"needs nowhere_at_all .*pip install 'tfhealth\[nowhere_at_all\]'"):
        Export("nowhere_at_all", "").load()
    arguments = ["export", str(tmp_path / "run"), "--to", "mlflow", "--folder", "x", "--rules", str(tmp_path / "rules")]
    assert main(arguments) == Exit.USAGE
    assert "MLFLOW_TRACKING_URI" in capsys.readouterr().err


@pytest.mark.parametrize("name", EXPORTS)
def test_every_tool_is_an_extra(name):
    """`pip install tfhealth[NAME]` brings the package."""
    import tomllib

    project: dict[str, Any] = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
    (needed,) = project["project"]["optional-dependencies"][EXPORTS[name].package]
    assert needed.startswith(EXPORTS[name].package)


def test_a_notebook_shows_a_verdict(judged):
    """Text of foreign origin is escaped; IPython finds the way to show it."""
    shown = fragment(judged.result)
    assert "✗ fail" in shown
    assert "Normalize dense." in shown
    told = outside(
        """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
from tfhealth.report.notebook import register
from tfhealth.result import Result, RunInfo
register()
seen = dict(steps=1, probed_steps=1)
run = RunInfo(path="<b>", name="x", status="completed", complete=True, started=None, ended=None, **seen)
result = Result(tfhealth="1", run=run, verdict="pass", sentence="a < b", findings=[], checklist=[], rules=[])
print(shell.display_formatter.format(result)[0]["text/html"])
""",
        Path.cwd(),
        IPYTHONDIR=str(judged.run.path),
    )
    assert told == "<p><b>✓ pass</b> a &lt; b</p><p>&lt;b&gt;</p>"
