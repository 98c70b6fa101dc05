"""The command line: what is printed, what is written, and the exit code; `run` has its own tests."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import tfhealth
from tests.helpers import RULE, run_of, write_rules
from tfhealth.cli import main
from tfhealth.cli.exits import Exit
from tfhealth.result import Result
from tfhealth.rules import load_checklist

ROOT = Path(__file__).parent.parent
FILES = {"run.db", "result.json", "report.html", "report.pdf"}
CHECKLIST = load_checklist()


def kept(folder: Path, std: float, status: str = "completed") -> Path:
    """Record a run whose inputs have this standard deviation: 1 is well, 15 a warning, 80 an error."""
    sites = {("input", "x"): {"normalized": False, "consumer": "Dense"}}
    values = {("input", "x", "std"): [std] * 10, ("loss", "batch", "nonfinite"): [0.0] * 10}
    moving = {(kind, "dense/kernel", "norm"): [size] * 10 for kind, size in (("update", 1e-3), ("weight", 1.0))}
    run_of({**values, **moving}, sites, folder, status)
    return folder


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that cannot be meant; return what it says on stderr. Nothing is said on stdout."""
    try:
        code = main(arguments)
    except SystemExit as end:  # argparse ends the process itself
        code = end.code
    printed = capsys.readouterr()
    assert (code, printed.out) == (2, "")
    assert "Traceback" not in printed.err
    return printed.err


def test_report_writes_into_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Three files beside run.db, each named on the console under the verdict."""
    folder = kept(tmp_path / "run", 80.0)
    assert main(["report", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert {path.name for path in folder.iterdir()} == FILES
    result = Result.model_validate_json((folder / "result.json").read_bytes())
    assert result.run.path == str(folder)
    assert result.sentence in printed
    assert "tfhealth: FAIL" in printed
    assert all(str(folder / name) in printed for name in FILES - {"run.db"})
    assert (folder / "report.pdf").read_bytes().startswith(b"%PDF-1.7")


def test_report_is_written_again_over_the_old_one(tmp_path: Path):
    """The same run and the same rules make the same bytes."""
    folder = kept(tmp_path / "run", 80.0)
    main(["report", str(folder)])
    first = {name: (folder / name).read_bytes() for name in FILES}
    main(["report", str(folder)])
    assert {name: (folder / name).read_bytes() for name in FILES} == first


def test_report_of_a_run_without_probes_says_that_nothing_was_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """An empty run is no healthy one."""
    run_of({}, folder=tmp_path / "run", status="failed")
    assert main(["report", str(tmp_path / "run")]) == 0
    assert "tfhealth: NOT MEASURED" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES


KILLED = """
import os, signal, sys
import numpy as np
from pathlib import Path
from tfhealth.recorder import Recorder
from tfhealth.series import Probe, Site
recorder = Recorder(Path(sys.argv[1]))
site = Site("input", "x")
recorder.site(site, {"normalized": False, "consumer": "Dense"})
recorder.append(recorder.layout([Probe(site, "std")]), np.arange(10), np.full((10, 1), 80.0))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_report_on_a_killed_run(tmp_path: Path):
    """Everything that was recorded before the end is judged, and the result says that the run is not complete."""
    folder = tmp_path / "run"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    killed = subprocess.run([sys.executable, "-c", KILLED, str(folder)], env=environment, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert main(["report", str(folder), "--formats", "json,html"]) == 0
    result = json.loads((folder / "result.json").read_text())
    assert (result["verdict"], result["run"]["status"], result["run"]["complete"]) == ("fail", "running", False)


def test_report_on_a_damaged_run_is_incomplete(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A file that was cut off: the report is written, says so, and the code is 3."""
    folder = kept(tmp_path / "run", 80.0)
    data = (folder / "run.db").read_bytes()
    (folder / "run.db").write_bytes(data[:-100])
    assert main(["report", str(folder), "--formats", "json"]) == 3
    damage = json.loads((folder / "result.json").read_text())["run"]["damage"]
    assert damage.startswith(f"cut off, {len(data) - 100} of {len(data)} bytes are there")
    assert str(folder / "result.json") in capsys.readouterr().out


def test_report_that_cannot_be_written_is_incomplete(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A folder stands where a file belongs: the other one is written, the reason is printed, and the code is 3."""
    folder = kept(tmp_path / "run", 1.0)
    (folder / "report.html").mkdir()
    assert main(["report", str(folder), "--formats", "html,json"]) == 3
    assert "HTML not written: " in capsys.readouterr().out
    assert (folder / "result.json").is_file()


def test_formats_are_chosen(tmp_path: Path):
    """Only what was asked for, with spaces and repetitions."""
    folder = kept(tmp_path / "run", 1.0)
    assert main(["report", str(folder), "--formats", "json, html,json"]) == 0
    assert {path.name for path in folder.iterdir()} == FILES - {"report.pdf"}


def strict(folder: Path) -> Path:
    """Return a folder with one rule, which calls a standard deviation above 0.5 critical."""
    measure = "measure: {site: input, statistic: std}"
    text = RULE.replace("measure: {site: activation, statistic: std}", measure).replace("act.std-range", "data.loader")
    text = text.replace("warning: {outside: [0.5, 2]}", "critical: {above: 0.5}")
    text = text.replace('"1x9"', '"0.1x9"', 1).replace('"0.1x9", verdict: warn', '"1x9", verdict: fail')
    return write_rules(folder / "strict", {"ACT901-strict.yaml": text})


def test_evaluate_judges_by_other_rules_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A run that is well by the built-in rules; the folder is as it was, also its times."""
    folder = kept(tmp_path / "run", 1.0)
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}
    assert main(["evaluate", str(folder)]) == 0
    assert "tfhealth: PASS" in capsys.readouterr().out
    assert main(["evaluate", str(folder), "--rules", str(strict(tmp_path))]) == 0
    printed = capsys.readouterr().out
    assert "tfhealth: FAIL" in printed
    assert "[ACT901] The output of x had a spread of 1 from step 0 on." in printed
    assert {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()} == before


def test_report_by_other_rules_names_who_set_the_limits(tmp_path: Path):
    """The folder's name stands beside every limit."""
    folder = kept(tmp_path / "run", 1.0)
    assert main(["report", str(folder), "--rules", str(strict(tmp_path)), "--formats", "json"]) == 0
    (finding,) = json.loads((folder / "result.json").read_text())["findings"]
    assert (finding["rule"], finding["severity"], finding["limits_set_by"]) == ("ACT901", "critical", "strict")


def test_evaluate_several_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Each under its own path, and as a list in JSON, in the order given."""
    folders = [kept(tmp_path / "sick", 80.0), kept(tmp_path / "well", 1.0)]
    assert main(["evaluate", *map(str, folders)]) == 0
    printed = capsys.readouterr().out
    assert [printed.index(str(folder)) for folder in folders] == sorted(printed.index(str(one)) for one in folders)
    assert main(["evaluate", *map(str, folders), "--json"]) == 0
    results = [Result.model_validate(one) for one in json.loads(capsys.readouterr().out)]
    assert [one.verdict for one in results] == ["fail", "pass"]
    assert [one.run.path for one in results] == [str(folder) for folder in folders]


@pytest.mark.parametrize(
    ("std", "status", "codes"),
    [
        (1.0, "completed", [0, 0, 0, 0, 0]),
        (15.0, "completed", [0, 1, 1, 0, 0]),
        (80.0, "completed", [0, 1, 1, 1, 0]),
        (1.0, "interrupted", [0, 3, 3, 3, 3]),
        (15.0, "failed", [0, 1, 1, 3, 3]),
        (80.0, "running", [0, 1, 1, 1, 3]),
    ],
)
def test_gate_at_each_level(tmp_path: Path, std: float, status: str, codes: list[int]):
    """0 passed or no gate, 1 a finding of this level or above, 3 a pass that rests on half a run."""
    folder = str(kept(tmp_path / "run", std, status))
    levels = [[], *(["--fail-on", level] for level in ("info", "warning", "error", "critical"))]
    assert [main(["evaluate", folder, *level]) for level in levels] == codes


def test_gate_over_several_runs(tmp_path: Path):
    """One that fails makes all fail; else one that is not complete makes all incomplete."""
    well, sick = kept(tmp_path / "well", 1.0), kept(tmp_path / "sick", 80.0)
    half = kept(tmp_path / "half", 1.0, "interrupted")
    codes = [
        main(["evaluate", *map(str, runs), "--fail-on", "error"])
        for runs in ([well, well], [well, sick], [well, half], [half, sick])
    ]
    assert codes == [0, 1, 3, 1]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["diagnose"], "invalid choice: 'diagnose'"),
        (["report"], "the following arguments are required: RUN"),
        (["evaluate"], "the following arguments are required: RUN"),
        (["rules"], "the following arguments are required: ACTION"),
        (["rules", "explain"], "the following arguments are required: ID"),
        (["evaluate", "run", "--fail-on", "fatal"], "argument --fail-on: invalid choice: 'fatal'"),
        (["report", "run", "--fromats", "json"], "unrecognized arguments: --fromats json"),
        (
            ["report", "run", "--formats", "json,pfd"],
            "argument --formats: format 'pfd' is unknown; legal: json, html, pdf, junit, md; did you mean 'pdf'?",
        ),
        (
            ["report", "run", "--formats", " ,"],
            "argument --formats: no format is named; legal: json, html, pdf, junit, md",
        ),
        (["evaluate", "run", "--format", "xml"], "argument --format: invalid choice: 'xml'"),
        (
            ["evaluate", "run", "--write-baseline", "a.json", "--prune-baseline"],
            "argument --prune-baseline: not allowed with argument --write-baseline",
        ),
        (["report", "/nowhere/run"], "tfhealth: /nowhere/run: not a run directory, it does not exist."),
        (["evaluate", "/"], "tfhealth: /: not a run directory, it has no run.db."),
        (["rules", "list", "--rules", "/nowhere"], "tfhealth: /nowhere: not a folder of rules."),
        (["rules", "explain", "ACT02"], "'ACT02' is neither a rule nor a row of the checklist; did you mean 'ACT002'?"),
        (
            ["rules", "explain", "act.ded-relu"],
            "'act.ded-relu' is neither a rule nor a row of the checklist; did you mean 'act.dead-relu'?",
        ),
        (
            ["rules", "explain", "?"],
            "'?' is neither a rule nor a row of the checklist; `tfhealth rules list` shows all",
        ),
    ],
    ids=" ".join,
)
def test_wrong_use_is_said_on_stderr(arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]):
    """Code 2, one clear message with the nearest name, nothing on stdout and no traceback."""
    assert expected in refused(arguments, capsys)


def test_wrong_rules_are_said_with_their_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The faults of all files, as the loader words them, and the run is not judged."""
    folder = kept(tmp_path / "run", 1.0)
    rules = write_rules(tmp_path / "mine", {"ACT901-x.yaml": RULE.replace("title:", "titel:"), "b.yaml": "["})
    for command in (["evaluate", str(folder)], ["report", str(folder)], ["rules", "list"]):
        lines = refused([*command, "--rules", str(rules)], capsys).splitlines()
        assert lines[0] == "tfhealth: 3 faults in the rules"
        assert [re.split(r"[ :]+", line.strip())[:3] for line in lines[1:]] == [
            ["mine/ACT901-x.yaml", "1", "1"],
            ["mine/ACT901-x.yaml", "2", "1"],
            ["mine/b.yaml", "1", "2"],
        ]


def test_rules_list_shows_every_row_and_rule(capsys: pytest.CaptureFixture[str]):
    """Chapters, rows with their question, and under each the rules that decide it, each on one line."""
    assert main(["rules", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    expected: list[str] = []
    for title, items in CHECKLIST.chapters:
        expected.append(title)
        for item in items:
            expected.append(f"  {item.id:<28} {item.asks}")
            expected += [f"    {rule.id:<9} {rule.title}" for rule in CHECKLIST.rules_for(item.id)]
    assert [line.rstrip() for line in lines] == [line.rstrip() for line in expected]


@pytest.mark.parametrize("rule", CHECKLIST.rules, ids=lambda rule: rule.id)
def test_every_rule_is_explained(rule: tfhealth.Rule, capsys: pytest.CaptureFixture[str]):
    """What is measured, every limit, why and what to change, with each number of the rule's file."""
    assert main(["rules", "explain", rule.id]) == 0
    page = capsys.readouterr().out
    assert page.startswith(f"# {rule.id} {rule.title}\n")
    headings = re.findall("^## (.*)", page, flags=re.MULTILINE)
    head = ["What is measured", "Limits", "Why it matters", "What to change", "Examples"]
    assert headings == [*head, *(["What may cause it"] if rule.explained_by else []), "Sources"]
    limits = page.split("## Limits")[1].split("## Why")[0]
    for name, bound in rule.condition.rungs():
        (line,) = [line for line in limits.splitlines() if line.startswith(f"- **{name}**: ")]
        numbers = [f"{value:g}" for value in bound.limits().values() if isinstance(value, float)]
        assert [number for number in numbers if number not in line] == []
    assert rule.why.splitlines()[0] in page
    assert "{{" not in page


@pytest.mark.parametrize("item", CHECKLIST.items, ids=lambda item: item.id)
def test_every_row_is_explained(item, capsys: pytest.CaptureFixture[str]):
    """The question, how it can be decided, its rules, and what a person or an experiment has to do."""
    assert main(["rules", "explain", item.id]) == 0
    page = capsys.readouterr().out
    assert page.startswith(f"# {item.id}\n\n{item.asks}\n\nDecided by: {', '.join(item.how)}.")
    for text in [rule.title for rule in CHECKLIST.rules_for(item.id)] + [item.guide or "", item.missing or ""]:
        assert text in page


def test_rules_of_a_folder_are_listed_and_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """`--rules` works with both, and the built-in rules are then unknown."""
    rules = str(strict(tmp_path))
    assert main(["rules", "list", "--rules", rules]) == 0
    assert "ACT901    Spread far from one" in capsys.readouterr().out
    assert main(["rules", "explain", "ACT901", "--rules", rules]) == 0
    assert "- **critical**: above 0.5 for 3 probes in a row" in capsys.readouterr().out
    assert "'ACT002' is neither" in refused(["rules", "explain", "ACT002", "--rules", rules], capsys)


def shell(command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which `tfhealth` is on the path."""
    bin_dir = str(Path(sys.executable).parent)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{bin_dir}:{os.environ['PATH']}", "COLUMNS": "80"}
    return subprocess.run(
        ["bash", "-c", command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_module_and_command_are_the_same(tmp_path: Path):
    """`python -m tfhealth` prints and returns what `tfhealth` does, also for wrong use."""
    for arguments in ("--version", "--help", "rules explain LOSS003", "report nowhere", "evaluate"):
        one, other = shell(f"tfhealth {arguments}", tmp_path), shell(f"python -m tfhealth {arguments}", tmp_path)
        assert (one.returncode, one.stdout, one.stderr) == (other.returncode, other.stdout, other.stderr)
        assert "Traceback" not in one.stderr
        assert one.returncode == (2 if arguments in ("report nowhere", "evaluate") else 0)
    assert shell("tfhealth --version", tmp_path).stdout == f"tfhealth {tfhealth.__version__}\n"


def test_help_lists_the_exit_codes(tmp_path: Path):
    """Whoever writes a gate finds the codes where the commands are."""
    printed = shell("tfhealth --help", tmp_path).stdout
    assert re.findall(r"^  (\d)  ", printed, flags=re.MULTILINE) == [str(int(code)) for code in Exit]
    for command in ("run", "report", "evaluate", "rules"):
        assert re.search(rf"^    {command} ", printed, flags=re.MULTILINE)


def test_pipe_that_is_closed_early_is_no_error(tmp_path: Path):
    """`tfhealth rules list | head -1` says nothing on stderr."""
    done = shell("set -o pipefail; tfhealth rules list | head -1; echo ${PIPESTATUS[@]}", tmp_path)
    assert (done.stdout, done.stderr) == ("Inputs and data\n0 0\n", "")
