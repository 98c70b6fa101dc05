"""Two runs beside each other: what is gone, new or not known, what was set otherwise, and how it is told."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import RULE, write_rules
from tfhealth import baseline
from tfhealth.baseline import accept
from tfhealth.cli.exits import Exit
from tfhealth.cli.main import main
from tfhealth.comparison import Comparison, Judged, compare, compare_to_baseline
from tfhealth.diagnosis import evaluate
from tfhealth.errors import UsageError
from tfhealth.loading import load
from tfhealth.recorder import Recorder
from tfhealth.report.comparison import write_comparison
from tfhealth.report.comparison.formats import Source
from tfhealth.report.comparison.view import view
from tfhealth.rules import Checklist, load_checklist
from tfhealth.run import Run
from tfhealth.series import Probe, Site

ROWS = """
sources: {V: "an article"}
chapters:
  - {title: Activations, items: [{id: act.std-range, asks: "Is the spread near one?", sources: [V1], how: [fit]}]}
"""
FILES = {"checklist.yaml": ROWS, "ACT901.yaml": RULE.replace("warning", "error").replace("warn}", "fail}")}
RATE = Site("fact", "optimizer")


def record(folder: Path | None, spread: float | None, rate: float, losses: list[float]) -> Run:
    """Record a run: the spread of its one layer, None for not measured, the learning rate, and the loss of epochs."""
    recorder = Recorder(folder)
    recorder.meta(name="trial <b>")
    recorder.site(RATE, {"learning_rate": rate})
    layer = Site("activation", "dense")
    recorder.site(layer, {"layer": "Dense", "output": False})
    if spread is not None:
        table = recorder.layout([Probe(layer, "std")])
        recorder.append(table, np.arange(20), np.full((20, 1), spread))
    for epoch, loss in enumerate(losses):
        recorder.epoch(epoch, 10 * (epoch + 1), {"loss": loss, "val_loss": 2 * loss})
    recorder.finish("completed")
    run = recorder.snapshot()
    recorder.close()
    return run


@pytest.fixture
def checklist(tmp_path: Path) -> Checklist:
    return load_checklist(write_rules(tmp_path / "rules", FILES))


def judged(run: Run, checklist: Checklist) -> Judged:
    return Judged(run, evaluate(checklist, run))


def pair(checklist: Checklist, before: float | None, after: float | None) -> Comparison:
    first, second = (record(None, *made) for made in ((before, 0.1, [2.0, 1.5]), (after, 0.01, [2.0, 0.5])))
    return compare(judged(first, checklist), judged(second, checklist))


@pytest.mark.parametrize(
    ("before", "after", "fate"),
    [(1.0, 9.0, "new"), (9.0, 9.0, "stays"), (9.0, 1.0, "gone"), (9.0, None, "unknown"), (1.0, 1.0, None)],
)
def test_what_becomes_of_a_finding(checklist, before, after, fate):
    """A finding that could not be judged again is not gone."""
    found = pair(checklist, before, after)
    assert [one.fate for one in found.shifts] == ([fate] if fate else [])


def test_rows_settings_and_ends_that_differ(checklist):
    """The learning rate, the row's verdict, and where the loss ended and was lowest."""
    found = pair(checklist, 9.0, 1.0)
    assert [(one.site, one.attribute, one.before, one.after) for one in found.settings] == [
        ("optimizer", "learning_rate", 0.1, 0.01)
    ]
    assert [(one.before, one.after) for one in found.rows] == [("fail", "pass")]
    assert [(one.name, one.before, one.after, one.lowest_after) for one in found.ends] == [
        ("loss", 1.5, 0.5, 0.5),
        ("val_loss", 3.0, 1.0, 1.0),
    ]


def test_nothing_differs_between_a_run_and_itself(checklist):
    """The same run on both sides: no setting, no row, no sentence about a change."""
    run = judged(record(None, 1.0, 0.1, [2.0]), checklist)
    found = compare(run, run)
    assert (found.shifts, found.rows, found.settings) == ((), (), ())
    assert view(found).sentence == "Neither has a finding; val_loss ends at 4 after 4."


def test_a_baseline_stands_in_the_place_of_a_run(checklist, tmp_path):
    """What was accepted and is still there stays; what is there no more is gone."""
    sick, well = (judged(record(None, spread, 0.1, []), checklist) for spread in (9.0, 1.0))
    accepted = accept([sick.result], date(2026, 3, 1))
    assert [one.fate for one in compare_to_baseline(accepted, sick, checklist).shifts] == ["stays"]
    found = compare_to_baseline(accepted, well, checklist)
    assert [one.fate for one in found.shifts] == ["gone"]
    assert view(found).shifts[0].before == "error: Accepted since 2026-03-01."


def test_the_page_holds_both_and_nothing_that_acts(checklist):
    """Names are text; curves of both lie over each other; the policy forbids all but pictures within the page."""
    page = Source(pair(checklist, 9.0, 1.0)).page
    assert "trial &lt;b&gt;" in page
    assert "trial <b>" not in page
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    assert re.findall(r'<section id="(\w+)"', page) == ["verdict", "findings", "settings", "rows", "pictures"]
    assert page.count("<figure ") == 1  # the loss; nothing else was recorded on both sides


def test_the_command_writes_what_it_names(checklist, tmp_path, capsys):
    """All formats; the JSON says what the page says."""
    rules = write_rules(tmp_path / "own", FILES)
    for name, spread in (("a", 9.0), ("b", 1.0)):
        record(tmp_path / name, spread, 0.1, [2.0, float("nan")])
    out = tmp_path / "out"
    runs = [str(tmp_path / "a"), str(tmp_path / "b")]
    code = main(["compare", *runs, "--output", str(out), "--formats", "html,pdf,json,md", "--rules", str(rules)])
    assert code == Exit.PASSED
    assert {one.name for one in out.iterdir()} == {f"compare.{end}" for end in ("html", "pdf", "json", "md")}
    told = json.loads((out / "compare.json").read_text())
    assert [one["fate"] for one in told["shifts"]] == ["gone"]
    assert told["ends"][0]["after"] is None  # NaN
    assert "1 gone" in capsys.readouterr().out
    assert (out / "compare.pdf").read_bytes().startswith(b"%PDF-1.7")


def test_a_baseline_file_is_compared_by_the_command(checklist, tmp_path, capsys):
    """One run and --baseline."""
    rules = write_rules(tmp_path / "own", FILES)
    run = record(tmp_path / "a", 9.0, 0.1, [])
    baseline.write(tmp_path / "accepted.json", accept([evaluate(checklist, run)], date(2026, 3, 1)))
    arguments = ["compare", str(tmp_path / "a"), "--baseline", str(tmp_path / "accepted.json"), "--formats", "json"]
    assert main([*arguments, "--rules", str(rules)]) == Exit.PASSED
    assert "1 in both" in capsys.readouterr().out
    assert load(tmp_path / "a").complete


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["a"], "compare takes 2 runs, or one and --baseline; 1 given."),
        (["a", "b", "--baseline", "f"], "compare takes 1 run with --baseline; 2 given."),
    ],
)
def test_a_wrong_number_of_runs_is_refused(arguments, why, capsys):
    """The message says how many are legal."""
    assert main(["compare", *arguments]) == Exit.USAGE
    assert why in capsys.readouterr().err


def test_an_unknown_format_is_refused(checklist, tmp_path):
    """With the legal ones and the nearest."""
    with pytest.raises(UsageError, match=r"format 'pfd' is unknown; legal: html, pdf, json, md; did you mean 'pdf'\?"):
        write_comparison(pair(checklist, 1.0, 1.0), tmp_path, "pfd")
