"""`tfhealth evaluate`: formats, files, baselines and jobs of GitHub Actions; the gate has its own tests."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.helpers import run_of
from tfhealth.cli import main
from tfhealth.report.pull_request import pull_request
from tfhealth.result import Result


def kept(folder: Path, std: float, *names: str) -> str:
    """Record a run whose inputs have this standard deviation: 1 is well, 15 a warning, 80 an error."""
    values = {("input", name, "std"): [std] * 10 for name in names or ("x",)}
    sites = {("input", name): {"normalized": False, "consumer": "Dense"} for name in names or ("x",)}
    moving = {(kind, "dense/kernel", "norm"): [size] * 10 for kind, size in (("update", 1e-3), ("weight", 1.0))}
    run_of({**values, **moving, ("loss", "batch", "nonfinite"): [0.0] * 10}, sites, folder)
    return str(folder)


def results(text: str) -> list[Result]:
    return [Result.model_validate(one) for one in json.loads(text)]


def accepted(path: Path) -> list[tuple[str, str, str]]:
    """Return what a baseline holds: (rule, site, severity)."""
    return [(one["rule"], one["site"], one["severity"]) for one in json.loads(path.read_text())["entries"]]


def test_formats_of_the_same_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """JSON, JUnit, Markdown and annotations say the same; `--json` is short for the first."""
    run = kept(tmp_path / "run", 80.0)
    printed = {}
    for kind in ("json", "junit", "markdown", "github"):
        assert main(["evaluate", run, "--format", kind]) == 0
        printed[kind], err = capsys.readouterr()
        assert err == ""
    main(["evaluate", run, "--json"])
    assert capsys.readouterr().out == printed["json"]
    (result,) = results(printed["json"])
    (finding,) = result.findings
    (failure,) = ET.fromstring(printed["junit"]).iter("failure")
    assert failure.attrib["message"] == finding.message
    assert printed["markdown"] == pull_request([result])
    assert printed["github"].startswith(f"::error title=tfhealth {finding.rule}%3A {finding.title}::{finding.message}")


def test_healthy_run_has_no_annotation(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Nothing is printed, not even an empty line."""
    assert main(["evaluate", kept(tmp_path / "run", 1.0), "--format", "github"]) == 0
    assert capsys.readouterr() == ("", "")


def test_output_goes_into_a_file_and_a_summary_on_the_console(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The file is what would have been printed; the gate counts as ever."""
    run = kept(tmp_path / "run", 80.0)
    main(["evaluate", run, "--format", "junit"])
    expected = capsys.readouterr().out
    command = ["evaluate", run, "--format", "junit", "--output", str(tmp_path / "junit.xml"), "--fail-on", "error"]
    assert main(command) == 1
    assert (tmp_path / "junit.xml").read_text("utf-8") == expected
    assert "tfhealth: FAIL" in capsys.readouterr().out


def test_output_that_cannot_be_written_is_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Code 2 and one message."""
    run = kept(tmp_path / "run", 1.0)
    assert main(["evaluate", run, "--output", str(tmp_path / "no" / "file")]) == 2
    assert capsys.readouterr() == ("", f"tfhealth: {tmp_path}/no/file: cannot be written: No such file or directory.\n")


def test_baseline_from_the_first_day_to_the_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Written, it passes; something new fails; what is gone is told, and pruned."""
    old, new = kept(tmp_path / "old", 15.0, "x", "y"), kept(tmp_path / "new", 15.0, "y", "z")
    file = tmp_path / "baseline.json"
    gate = ["--fail-on", "warning", "--baseline", str(file)]
    assert main(["evaluate", old, "--fail-on", "warning"]) == 1
    assert main(["evaluate", old, "--fail-on", "warning", "--write-baseline", str(file)]) == 0
    assert "baseline.json: 2 entries written" in capsys.readouterr().err
    rule = accepted(file)[0][0]
    assert accepted(file) == [(rule, "x", "warning"), (rule, "y", "warning")]

    assert main(["evaluate", old, *gate]) == 0
    assert main(["evaluate", new, *gate]) == 1
    printed = capsys.readouterr()
    assert f"warning: 1 of 2 entries of baseline.json match nothing in this run ({rule} at input x)" in printed.out
    assert main(["evaluate", kept(tmp_path / "worse", 80.0, "x", "y"), *gate]) == 1

    before = file.read_bytes()
    assert main(["evaluate", old, new, *gate, "--prune-baseline"]) == 1
    assert f"{file.name}: 0 entries taken out, 2 left" in capsys.readouterr().err
    assert file.read_bytes() == before
    assert main(["evaluate", new, *gate, "--prune-baseline"]) == 1
    assert f"{file.name}: 1 entry taken out, 1 left\n  {rule} at input x\n" in capsys.readouterr().err
    assert accepted(file) == [(rule, "y", "warning")]

    assert main(["evaluate", old, new, "--write-baseline", str(file), "--fail-on", "warning"]) == 0
    assert accepted(file) == [(rule, name, "warning") for name in ("x", "y", "z")]


def test_baseline_of_several_runs_accepts_the_worst(tmp_path: Path):
    """The union, each site at its highest severity; days of entries that stay are kept."""
    runs = [kept(tmp_path / "a", 15.0, "x"), kept(tmp_path / "b", 80.0, "x", "y")]
    file = tmp_path / "baseline.json"
    main(["evaluate", runs[0], "--write-baseline", str(file)])
    file.write_text(file.read_text().replace(json.loads(file.read_text())["entries"][0]["since"], "2025-01-01"))
    assert main(["evaluate", *runs, "--write-baseline", str(file), "--fail-on", "info"]) == 0
    assert [one[1:] for one in accepted(file)] == [("x", "error"), ("y", "error")]
    assert [one["since"] == "2025-01-01" for one in json.loads(file.read_text())["entries"]] == [True, False]


def test_machine_readable_output_is_not_mixed_with_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """What was done with the baseline, and why a gate failed, is on standard error."""
    run = kept(tmp_path / "run", 80.0)
    file = str(tmp_path / "baseline.json")
    assert main(["evaluate", run, "--json", "--write-baseline", file]) == 0
    (result,) = results(capsys.readouterr().out)
    assert (result.findings, [one.how for one in result.suppressed]) == ([], ["baseline"])
    assert main(["evaluate", run, "--json", "--fail-on", "error"]) == 1
    printed = capsys.readouterr()
    assert [one.verdict for one in results(printed.out)] == ["fail"]
    assert printed.err.startswith("tfhealth: the gate failed\n  ")


def test_baseline_that_cannot_be_used_is_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A file that is not there, one that is none, and none at all to prune."""
    run = kept(tmp_path / "run", 1.0)
    (tmp_path / "broken.json").write_text('{"baseline_version": "1.0",\n "entries": 5}')
    for arguments, expected in (
        (["--baseline", str(tmp_path / "none.json")], "no baseline can be read there: No such file or directory"),
        (["--baseline", str(tmp_path / "broken.json")], "broken.json:2:2 entries: Input should be a valid array"),
        (["--write-baseline", str(tmp_path / "broken.json")], "broken.json:2:2 entries: Input should be a valid array"),
        (["--write-baseline", str(tmp_path / "no" / "a.json")], "the baseline cannot be written there"),
        (["--prune-baseline"], "there is no baseline; name one with --baseline or in the profile."),
    ):
        assert main(["evaluate", run, *arguments]) == 2
        printed = capsys.readouterr()
        assert (printed.out, expected in printed.err) == ("", True), printed.err


@pytest.mark.parametrize(
    ("arguments", "stream"),
    [([], "out"), (["--json"], "err"), (["--format", "junit"], "err"), (["--format", "github"], "out")],
    ids=" ".join,
)
def test_annotations_come_by_themselves_on_github(
    arguments: list[str],
    stream: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    """Once, and where they spoil nothing that a program reads; the summary of the job is written too."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    main(["evaluate", kept(tmp_path / "run", 80.0), *arguments])
    printed = capsys.readouterr()._asdict()
    found = {name: [line for line in text.splitlines() if line.startswith("::")] for name, text in printed.items()}
    assert {name: len(lines) for name, lines in found.items()} == {"out": 0, "err": 0, stream: 1}
    assert (tmp_path / "summary.md").read_text("utf-8").startswith("## ✗ tfhealth: fail – trial\n")
