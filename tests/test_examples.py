"""The examples are patients: each is run as a user runs it, and must get the diagnosis that it was made for."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def diagnosed(tmp_path, *arguments, formats="json,html,pdf"):
    """Run the digits example under `tfhealth run`; return what was printed, and the run directory."""
    command = [sys.executable, "-m", "tfhealth", "run", "--out", str(tmp_path), "--formats", formats]
    done = subprocess.run(
        [*command, str(ROOT / "examples" / "digits.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (folder,) = tmp_path.iterdir()
    return done.stdout, folder


def test_healthy_digits_pass(tmp_path):
    """The healthy CNN learns, and no row of the checklist fails or warns."""
    printed, folder = diagnosed(tmp_path)
    result = json.loads((folder / "result.json").read_text())
    assert (result["verdict"], result["findings"]) == ("pass", [])
    assert result["run"]["complete"] is True
    accuracy = float(printed.rsplit("held out: ", 1)[1])
    assert accuracy > 0.9
    for name in ("run.db", "result.json", "report.html", "report.pdf"):
        assert (folder / name).stat().st_size > 1000
        assert name == "run.db" or str(folder / name) in printed


def test_sick_digits_are_sick_in_both_ways(tmp_path):
    """Raw pixels lead, the learning rate that overwrites the weights is named, and the stuck loss is a consequence."""
    printed, folder = diagnosed(tmp_path, "--sick", formats="json")
    result = json.loads((folder / "result.json").read_text())
    found = {finding["checklist"]: finding for finding in result["findings"]}
    assert result["findings"][0]["checklist"] == "data.standardized"
    assert found["opt.learning-rate"]["verdict"] == "fail"
    assert {"DATA002", "DATA022"} & set(found["loss.decreases"]["explained_by"])
    assert result["sentence"] in printed


def test_result_lists_every_row_of_the_checklist(tmp_path):
    """75 rows, each with a verdict and a reason; what was not measured is not a pass."""
    _, folder = diagnosed(tmp_path, "--epochs", "1", formats="json")
    rows = json.loads((folder / "result.json").read_text())["checklist"]
    assert len(rows) == 75
    assert all(row["reason"] for row in rows)
    assert {row["verdict"] for row in rows if not row["rules"]} == {"not_measured", "guide"}
