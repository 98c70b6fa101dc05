"""The chapter Preflight of a report: every experiment with its series, what rules say of it, and what was left out."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tfhealth.console import summary
from tfhealth.diagnosis import evaluate
from tfhealth.recorder import Recorder
from tfhealth.report.chart import Flag, Line, Lines
from tfhealth.report.document import Pair
from tfhealth.report.drawing import draw
from tfhealth.report.formats import page
from tfhealth.report.view import view
from tfhealth.result import Tried
from tfhealth.rules import load_checklist
from tfhealth.series import Probe, Site

STEPS = np.arange(200)
FELL = np.exp(-STEPS / 20)
STOOD = np.full(200, -0.01)


def record(experiments, notes=(), inapplicable=(), training=False):
    """Record {experiment: {statistic: values}}, beside a training where that is asked for."""
    recorder = Recorder(None)
    recorder.meta(name="cnn", **({} if training else {"preflight": list(experiments), "budget": 60.0}))
    recorder.site(Site("fact", "fit"), {"initial_step": 0})
    for name, found in experiments.items():
        site = Site("experiment", name)
        recorder.site(site, {"seconds": 1.25, "inapplicable": None})
        for statistic, values in found.items():
            layout = recorder.layout([Probe(site, statistic)])
            recorder.append(layout, np.arange(len(values)), np.array(values, float)[:, None])
    for name, why in inapplicable:
        recorder.site(Site("experiment", name), {"seconds": 0.0, "inapplicable": why})
    for name, why in notes:
        recorder.site(Site("experiment", name), {})
        recorder.note(f"experiment {name}", why)
    if training:
        recorder.site(Site("loss", "batch"), {})
        layout = recorder.layout([Probe(Site("loss", "batch"), "data")])
        recorder.append(layout, np.arange(20), np.linspace(2, 1, 20)[:, None])
    recorder.finish("completed")
    run = recorder.snapshot()
    recorder.close()
    return run


def report(run):
    checklist = load_checklist()
    return view(evaluate(checklist, run), run, checklist)


@pytest.fixture(scope="module")
def sick():
    """A preflight in which two samples were not learned, and several other things."""
    return report(
        record(
            {
                "test_mode": {"randomness": [0.0], "dependence": [1e-8], "drawn": [0.0]},
                "overfit_tiny": {"loss": 2 + STOOD, "change": STOOD},
                "shuffled_labels": {"real": FELL, "shuffled": 0.2 + 0.8 * FELL, "difference": [21.5]},
                "learning_rate_range": {
                    "rate": np.geomspace(1e-6, 10, 60),
                    "loss": np.r_[np.linspace(2, 1, 50), np.full(10, np.inf)],
                    "in_use": [0.25],
                    "suggested": [0.0625],
                    "high": [0.2],
                    "progress_in_use": [0.1, 0.2],
                    "progress_suggested": [0.8, 0.9],
                },
                "hyperparameters": {"rate": [1e-3, 1e-2] * 10, "batch_size": [16, 32] * 10, "loss": list(range(20))},
            },
            notes=[("smoke", "not measured: the budget of 60 s ended during it")],
            inapplicable=[("overfit_fifty", "there are 20 samples, and it takes 50")],
        )
    )


def part(document, name):
    return next(one for one in document.experiments if one.name == name)


def test_each_experiment_is_told_with_its_verdict_and_its_seconds(sick):
    """What a rule complains of stands first, with the message and a link; the others say what was not found."""
    first = sick.experiments[0]
    assert (first.badge.verdict, first.took) == ("fail", "1.2 s")
    (said,) = part(sick, "overfit_tiny").said
    assert said.rule == "GOLD001"
    assert said.text.startswith("Trained for 200 steps on nothing but two samples")
    finding = next(one for one in sick.findings if one.rule == "GOLD001")
    assert said.links == ((f"finding {finding.number}", finding.anchor),)
    fine = part(sick, "test_mode")
    assert [one.text for one in fine.said] == [
        "Answers that change from call to call: not found (0).",
        "Answers that depend on the rest of the batch: not found (1e-08).",
    ]
    assert (fine.badge.verdict, fine.doc[0].isupper(), fine.doc[-1]) == ("pass", True, ".")
    assert sick.kind == "preflight report"
    assert sick.experiments_intro.startswith("5 experiments of 7 came to an end; all together took 6.2 s.")


def test_series_that_fit_on_one_axis_share_a_chart(sick):
    """Two losses do, a loss and its relative change do not; single numbers stand by themselves."""
    shuffled, tiny = part(sick, "shuffled_labels"), part(sick, "overfit_tiny")
    assert [[line.label for line in one.chart.lines] for one in shuffled.pictures] == [["real", "shuffled"]]
    assert [one.chart.label for one in tiny.pictures] == ["loss", "change"]
    assert (shuffled.numbers, shuffled.tables) == ((Pair("difference", "21.5"),), ())
    assert "real from 1 to 4.77e-5" in shuffled.pictures[0].caption.lower()


def test_the_range_test_marks_the_rate_in_use_and_the_suggested_one(sick):
    """The loss is drawn over the learning rate, on a logarithmic axis."""
    (picture,) = part(sick, "learning_rate_range").pictures
    chart = picture.chart
    assert chart.flags == (Flag(0.25, "in use 0.25"), Flag(0.0625, "suggested 0.0625"))
    assert (chart.across, chart.log_across, len(chart.lines[0].steps)) == ("learning rate", True, 60)
    marked = "Marked: in use 0.25, suggested 0.0625."
    assert picture.caption == f"Loss from 2 to Inf. Crosses at the upper edge: NaN or Inf. {marked}"
    (repeats,) = part(sick, "learning_rate_range").tables
    assert repeats.head == ("Number", "progress in use", "progress suggested")
    assert repeats.rows == (("1", "0.1", "0.8"), ("2", "0.2", "0.9"))
    assert draw(chart) == draw(chart)


def test_a_grid_of_settings_is_a_table(sick):
    """One row a setting, however many."""
    grid = part(sick, "hyperparameters")
    assert grid.pictures == ()
    assert (grid.tables[0].head, len(grid.tables[0].rows)) == (("rate", "batch size", "loss"), 20)


def test_what_remedies_did_stands_below_the_finding_and_in_a_table():
    """The sentence as it is, and the numbers with their uncertainty; what was not tried is no row of the table."""
    run = record({"overfit_tiny": {"loss": 2 + STOOD, "change": STOOD}})
    checklist = load_checklist()
    told = {"rule": "GOLD001", "remedy": "rate", "steps": 200, "repeats": 5}
    helped = "tried: the rate takes the loss from 2 to 0.5"
    numbers = {"loss_without": 2.0, "loss_with": 0.5, "loss_error": 0.05}
    remedies = [
        Tried(change="`learning_rate=0.01`", verdict="helps", sentence=helped, **numbers, **told),
        Tried(change="", verdict="not_tried", sentence="not tried: no time was left", **told),
    ]
    result = evaluate(checklist, run).model_copy(update={"remedies": remedies})
    document = view(result, run, checklist)
    finding = next(one for one in document.findings if one.rule == "GOLD001")
    assert finding.tried == (f"{helped}.", "not tried: no time was left.")
    assert document.remedies.rows == (("GOLD001", "`learning_rate=0.01`", "2", "0.5 ± 0.05", "helps"),)
    html = page(document)
    assert f'<p class="tried">{helped}.</p>' in html
    assert "What the remedies did to clones" in html
    assert helped in summary(result, None)


def test_what_yielded_nothing_says_why(sick):
    """What was not measured and what does not apply, each with the reason."""
    assert sick.left_out.rows == (
        ("overfit_fifty", "does not apply: there are 20 samples, and it takes 50", "0 s"),
        ("smoke", "not measured: the budget of 60 s ended during it", "0 s"),
    )


def test_the_page_has_the_chapter(sick):
    """With a link to it, charts as pictures with a text for who cannot see them, and no script."""
    html = page(sick)
    assert '<a href="#preflight">Preflight</a>' in html
    chapter = html.split('<section id="preflight"')[1].split("</section>")[0]
    assert re.findall(r"<h3><bdi>(\w+)</bdi>", chapter) == [one.name for one in sick.experiments]
    assert chapter.count("<img src=") == sum(len(one.pictures) for one in sick.experiments)
    assert 'alt="loss of learning_rate_range. Loss from 2 to Inf.' in chapter
    assert "preflight report" in html


def test_a_training_without_experiments_has_no_such_chapter():
    """The chapter is there where something was tried."""
    document = report(record({}, training=True))
    assert (document.kind, document.experiments_intro, document.left_out) == ("training report", "", None)
    assert 'id="preflight"' not in page(document)


def test_steps_of_experiments_are_not_those_of_the_training():
    """The run is as long as its training, and its loss bears no mark of what happened in an experiment."""
    run = record({"overfit_tiny": {"loss": 2 + STOOD, "change": STOOD}}, training=True)
    document = report(run)
    assert len(run.steps) == 20
    assert any(one.rule == "GOLD001" for one in document.findings)
    loss = next(one for one in document.pictures if one.name == "loss")
    assert [flag.text for flag in loss.chart.flags] == []
    assert "20 steps" in next(one.value for one in document.identity if one.name == "Seen")


def test_a_preflight_says_that_a_fit_shows_the_rest():
    """A rule on a step is not measured there, also one that objects to what is missing."""
    run = record({"test_mode": {"randomness": [0.0], "dependence": [0.0], "drawn": [0.0]}})
    decided = {one.rule: (one.verdict, one.reason) for one in evaluate(load_checklist(), run).rules}
    assert decided["TRACK003"] == ("not_measured", "experiments do not show this: a fit does")
    how = "`tfhealth.preflight(model, x, y)` and `tfhealth run --preflight` do"
    assert decided["GOLD001"] == ("not_measured", f"this preflight did not try it: {how}")


def test_marks_on_a_logarithmic_axis_are_drawn_where_they_belong():
    """Also those beyond the curve's ends, and where a curve has no step above zero."""
    line = Line("a", np.array([0.01, 0.1, 1.0]), np.array([3.0, 2.0, 1.0]))
    for flags in ((Flag(1e-4, "in use"),), (Flag(0.1, "in use"), Flag(0.12, "suggested")), ()):
        assert draw(Lines((line,), "loss", flags=flags, across="learning rate", log_across=True)).startswith("<svg")
    nothing = Line("a", np.zeros(3), np.ones(3))
    assert draw(Lines((nothing,), "loss", across="learning rate", log_across=True)).startswith("<svg")
