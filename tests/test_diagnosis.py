"""(Checklist, Run) -> Result: order and links of the findings, every row with a verdict, and one sentence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.helpers import checklist_of, rule, run_of
from tfhealth import __version__
from tfhealth.diagnosis import evaluate
from tfhealth.result import Result
from tfhealth.rules import Checklist, Item, Rule, load_checklist
from tfhealth.rules.checklist import Brand, Origin, Override
from tfhealth.run import Run
from tfhealth.series import Series


def item(row: str, **keys: Any) -> Item:
    return Item.model_validate({"id": row, "asks": f"Is {row} well?", "sources": ["V"], "how": ["fit"], **keys})


def checklist(*rules: Rule, rows: tuple[Item, ...] = ()) -> Checklist:
    """Return a checklist of these rules, with a row for each that they name, in their order."""
    named = [item(row) for row in dict.fromkeys(one.checklist for one in rules)]
    return Checklist((("All", (*named, *rows)),), rules, {})


def about(rule_id: str, layer: str, **keys: Any) -> Rule:
    """Return a rule about the spread of one layer, which decides a row of that name."""
    chosen = {"site": "activation", "statistic": "std", "where": {"layer": layer}}
    return rule(rule_id, **{"checklist": f"act.{layer}", "measure": chosen, **keys})


def trained(status: str = "completed", steps: int = 10, **rows: list[float]) -> Run:
    """Return a run with the spread of some layers, each named by its class."""
    values = {
        ("activation", name, "std"): Series(np.arange(len(row)) * steps // 10, np.array(row, np.float64))
        for name, row in rows.items()
    }
    return run_of(values, {("activation", name): {"layer": name} for name in rows}, status=status)


SICK, WELL = [9.0] * 10, [1.0] * 10
ERROR, WARNING, CRITICAL, INFO = (
    {"condition": {rung: {"above": 2}}} for rung in ("error", "warning", "critical", "info")
)


def order(result: Result) -> list[str]:
    return [finding.rule for finding in result.findings]


def causes(result: Result) -> dict[str, list[str]]:
    return {finding.rule: finding.explained_by for finding in result.findings}


def test_findings_come_by_gravity_then_by_step_then_by_row():
    """Without links the gravest leads; of equals the earlier one; of those the one whose row stands first."""
    rules = (
        about("ACT901", "warned", **WARNING),
        about("ACT902", "late", **ERROR),
        about("ACT903", "early", **ERROR),
        about("ACT904", "next", **ERROR),
        about("ACT905", "grave", **CRITICAL),
    )
    run = trained(warned=SICK, late=[1.0] * 5 + [9.0] * 5, early=SICK, next=SICK, grave=[1.0] * 9 + [9.0])
    assert order(evaluate(checklist(*rules), run)) == ["ACT905", "ACT903", "ACT904", "ACT902", "ACT901"]


@pytest.mark.parametrize("name", ["act.cause", "ACT902"], ids=["by row", "by rule"])
def test_cause_leads_although_its_consequence_is_graver(name: str):
    """A finding that names the row or the rule of another stands behind it and is linked to it."""
    rules = (about("ACT901", "effect", explained_by=[name], **CRITICAL), about("ACT902", "cause", **WARNING))
    result = evaluate(checklist(*rules), trained(effect=SICK, cause=SICK))
    assert order(result) == ["ACT902", "ACT901"]
    assert causes(result) == {"ACT902": [], "ACT901": ["ACT902"]}
    assert result.verdict == "fail"
    assert result.sentence == "Sick: cause at 0: 9 (1 more finding)."


def test_cause_that_did_not_happen_explains_nothing():
    """A healthy row, or one that was only noted, is no cause."""
    rules = (
        about("ACT901", "effect", explained_by=["act.cause", "ACT903"], **ERROR),
        about("ACT902", "cause", **ERROR),
        about("ACT903", "noted", **INFO),
    )
    assert causes(evaluate(checklist(*rules), trained(effect=SICK, cause=WELL, noted=SICK))) == {"ACT901": []}


@pytest.mark.parametrize(
    ("steps", "start", "expected"),
    [(10, 9, ["ACT902"]), (400, 1, ["ACT902"]), (10_000, 1, ["ACT902"]), (10_000, 2, []), (1000, 9, [])],
)
def test_what_began_clearly_later_is_no_cause(steps: int, start: int, expected: list[str]):
    """Up to fifty steps or a tenth of the run later may be, since some conditions take a while to show."""
    rules = (about("ACT901", "effect", explained_by=["act.cause"], **ERROR), about("ACT902", "cause", **ERROR))
    run = trained(steps=steps, effect=[9.0] * 20, cause=[1.0] * start + [9.0] * (20 - start))
    assert causes(evaluate(checklist(*rules), run))["ACT901"] == expected


def test_rule_is_no_cause_of_another_on_its_own_row():
    """A row that explains itself would have no leading cause."""
    rules = (
        about("ACT901", "row", explained_by=["act.row"], **ERROR),
        about("ACT902", "row", explained_by=["act.row"], **WARNING),
    )
    assert causes(evaluate(checklist(*rules), trained(row=SICK))) == {"ACT901": [], "ACT902": []}


def test_chain_of_causes_has_one_lead():
    """Only what nothing explains comes first; both others are behind it."""
    rules = (
        about("ACT901", "last", explained_by=["act.middle"], **ERROR),
        about("ACT902", "middle", explained_by=["act.first"], **CRITICAL),
        about("ACT903", "first", **WARNING),
    )
    result = evaluate(checklist(*rules), trained(last=SICK, middle=SICK, first=SICK))
    assert order(result) == ["ACT903", "ACT902", "ACT901"]


def test_finding_says_everything_about_its_worst_site():
    """Message and advice are filled in, the limit is that of the rung, and every site is listed."""
    mine = rule(
        condition={"warning": {"outside": [0.5, 2]}, "error": {"outside": [0.1, 5]}},
        message="{site} ({layer}, {kind}, {severity}) at {step}: {value:.1f}, not {low:g} to {high:g}; {count} in all.",
        advice="Look at {site}.",
    )
    run = trained(a=[1.0, 4.0, 4.0], b=[1.0, 1.0, 9.0], c=[1.0, 1.0, 1.0])
    (finding,) = evaluate(checklist(mine), run).findings
    assert finding.message == "b (b, activation, error) at 2: 9.0, not 0.1 to 5; 1 in all."
    assert finding.advice == "Look at b."
    assert finding.limits == {"low": 0.1, "high": 5.0}
    assert (finding.site, finding.kind, finding.step, finding.value) == ("b", "activation", 2, 9.0)
    assert [(one.name, one.severity, one.step, one.value) for one in finding.sites] == [
        ("b", "error", 2, 9.0),
        ("a", "warning", 1, 4.0),
    ]


def owned(*rules: Rule, origin: Origin | None = None, overrides: tuple[Override, ...] = ()) -> Checklist:
    """Return a checklist that says of its first rule where it comes from, and what differs at some layers."""
    origins = {rules[0].id: origin} if origin else {}
    return replace(checklist(*rules), origins=origins, overrides=overrides)


ORIGINAL = rule(condition={"warning": {"above": 2}, "error": {"above": 3}})
CHANGED = rule(condition={"error": {"above": 5}})
MOVED = rule(condition={"critical": {"above": 2}})


@pytest.mark.parametrize(
    ("now", "origin", "expected"),
    [
        (ORIGINAL, None, ({"high": 3.0}, "built-in", None, "built-in")),
        (ORIGINAL, Origin("acme-rules", "acme-rules"), ({"high": 3.0}, "acme-rules", None, "acme-rules")),
        (CHANGED, Origin("built-in", "acme", ORIGINAL), ({"high": 5.0}, "acme", {"high": 3.0}, "built-in")),
        (MOVED, Origin("built-in", "acme", ORIGINAL), ({"high": 2.0}, "acme", {"high": 2.0}, "built-in")),
    ],
    ids=["built-in", "of a pack", "changed", "moved to another rung"],
)
def test_finding_says_who_set_its_limits_and_what_they_were(
    now: Rule, origin: Origin | None, expected: tuple[Any, ...]
):
    """Limits, who set them, those of the pack where a profile changed the rule, and the pack."""
    (finding,) = evaluate(owned(now, origin=origin), trained(a=SICK)).findings
    assert (finding.limits, finding.limits_set_by, finding.limits_before, finding.pack) == expected


def test_finding_at_an_overridden_layer_names_the_override():
    """Its limits and its message are those of the layer; the pack's own stand beside them."""
    stricter = rule(condition={"critical": {"above": 1.5}}, message="{site} is above {high:g}.")
    overrides = (Override("head/**", "ACT901", None, "acme"), Override("head/b", "ACT901", stricter, "acme-strict"))
    spreads = {"body": 1.0, "head/a": 9.0, "head/b": 2.0}
    run = run_of({("activation", name, "std"): [value] * 5 for name, value in spreads.items()})
    (finding,) = evaluate(owned(ORIGINAL, overrides=overrides), run).findings
    assert (finding.site, finding.message, finding.severity) == ("head/b", "head/b is above 1.5.", "critical")
    assert (finding.limits, finding.limits_set_by) == ({"high": 1.5}, "acme-strict")
    assert finding.limits_before == {"high": 2.0}
    assert [one.name for one in finding.sites] == ["head/b"]


def test_result_names_the_profile_and_the_packs():
    """The built-in pack is not listed; without a profile there is none."""
    brands = (Brand("acme-rules", "1.2.0", "Acme"), Brand("house"))
    result = evaluate(replace(checklist(rule()), packs=brands, profile="acme"), trained(a=SICK))
    assert (result.profile, [(one.name, one.version) for one in result.packs]) == (
        "acme",
        [("acme-rules", "1.2.0"), ("house", "")],
    )
    plain = evaluate(checklist(rule()), trained(a=SICK))
    assert (plain.profile, plain.packs) == (None, [])


def test_value_that_json_cannot_hold_is_null():
    """NaN and Inf have no number in a JSON file."""
    mine = rule(condition={"critical": {"nonfinite": True}}, message="{site} was {value}.")
    (finding,) = evaluate(checklist(mine), trained(a=[1.0, np.nan])).findings
    assert (finding.value, finding.sites[0].value, finding.message) == (None, None, "a was nan.")


def test_every_row_has_a_verdict_and_a_reason():
    """With rules the worst of them; without: what the row itself says, or why nothing can be said."""
    rows = (
        item("b.guide", how=["guide"], guide="Look for yourself."),
        item("b.missing", how=["preflight"], missing="Do this first."),
        item("b.fit"),
        item("b.static", how=["static", "preflight"]),
        item("b.preflight", how=["preflight"]),
        item("b.compare", how=["compare"]),
    )
    rules = (about("ACT901", "sick"), about("ACT902", "well"), about("ACT903", "absent"))
    result = evaluate(checklist(*rules, rows=rows), trained(sick=SICK, well=WELL))
    assert [(row.id, row.verdict, row.reason) for row in result.checklist] == [
        ("act.sick", "fail", "Title of ACT901: 1 of 1 activation sites"),
        ("act.well", "pass", "1 at 1 activation site"),
        ("act.absent", "not_applicable", "no activation of the kind that this rule is about"),
        ("b.guide", "guide", "Look for yourself."),
        ("b.missing", "not_measured", "Do this first."),
        ("b.fit", "not_measured", "no rule in force decides it"),
        ("b.static", "not_measured", "no rule in force decides it"),
        ("b.preflight", "not_measured", "a fit does not show this: it takes an experiment, and no rule in "
                                        "force reads one"),
        ("b.compare", "not_measured", "one run does not show this: `tfhealth compare RUN_BEFORE RUN` sets another "
                                      "beside it"),
    ]  # fmt: skip


BREAKS = {"site": "activation", "statistic": "std", "where": {"layer": "words"}}
ABSENT = {"site": "gradient", "statistic": "norm"}
OTHER = {"site": "activation", "statistic": "std", "where": {"layer": "LSTM"}}


@pytest.mark.parametrize(
    ("measures", "expected"),
    [
        (["sick", "warned", "absent", "well", "other"], "fail"),
        (["warned", "absent", "well", "other"], "warn"),
        (["absent", "well", "other"], "not_measured"),
        (["well", "other"], "pass"),
        (["other"], "not_applicable"),
    ],
)
def test_row_is_as_bad_as_its_worst_rule(measures: list[str], expected: str):
    """Fail before warn before not measured before pass: a row that one rule could not judge has not passed."""
    keys: dict[str, dict[str, Any]] = {
        "sick": {},
        "warned": WARNING,
        "absent": {"measure": ABSENT},
        "well": {"condition": {"error": {"above": 99}}},
        "other": {"measure": OTHER},
    }
    for ordered in (measures, measures[::-1]):
        rules = tuple(rule(f"ACT90{number}", **keys[name]) for number, name in enumerate(ordered))
        (row,) = evaluate(checklist(*rules), trained(a=SICK)).checklist
        assert row.verdict == expected
        assert row.rules == [one.id for one in rules]


def test_a_verdict_that_saw_nothing_of_the_loss_says_so():
    """No fault found is no promise where both rows on the loss are open."""
    rows = (item("loss.decreases"), item("loss.fits-task"))
    sentence = evaluate(checklist(about("ACT901", "bad", **ERROR), rows=rows), trained(bad=WELL)).sentence
    assert sentence == (
        "No fault found in the 1 of 3 checklist rows that could be judged. "
        "Whether the loss falls, and whether it fits the labels, could not be seen."
    )


def test_note_of_information_is_told_where_it_passes():
    """The lowest rung is no finding; the rule's reason says that it was noted."""
    result = evaluate(checklist(rule(**INFO)), trained(a=SICK))
    assert result.findings == []
    assert result.rules[0].verdict == "pass"
    assert result.rules[0].reason == "noted, not a fault: Title of ACT901 at 1 of 1 activation sites"
    assert result.checklist[0].reason == result.rules[0].reason


@pytest.mark.parametrize(
    ("rows", "verdict", "sentence"),
    [
        ({"bad": SICK, "odd": SICK, "well": WELL}, "fail", "Sick: bad at 0: 9 (1 more finding)."),
        ({"bad": SICK, "odd": SICK, "well": SICK}, "fail", "Sick: bad at 0: 9 (2 more findings)."),
        ({"bad": SICK}, "fail", "Sick: bad at 0: 9."),
        ({"odd": SICK, "bad": WELL}, "warn", "Worth a look: odd at 0: 9."),
        ({"odd": WELL, "bad": WELL}, "pass", "No fault found in the 2 of 3 checklist rows that could be judged."),
        ({"strange": SICK}, "not_measured", "Nothing could be judged: the run holds no probe that a rule could use."),
        ({}, "not_measured", "Nothing could be judged: the run holds no probe that a rule could use."),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_verdict_is_one_sentence(rows: dict[str, list[float]], verdict: str, sentence: str):
    """Sick, worth a look, nothing found, or nothing judged, which is not the same."""
    rules = (about("ACT901", "bad", **ERROR), about("ACT902", "odd", **WARNING), about("ACT903", "well", **WARNING))
    result = evaluate(checklist(*rules), trained(**rows))
    assert (result.verdict, result.sentence) == (verdict, sentence)


def test_rule_that_breaks_down_is_in_the_result_as_an_error():
    """It is neither a finding nor a pass, and the verdict on the others stands."""
    run = trained(words=WELL, fine=WELL)
    table = run.tables[0]
    values = table.values.astype(object)
    values[:, 0] = "word"
    broken = Run(None, run.meta, run.sites, (type(table)(table.probes, table.steps, values),))
    rules = (rule("ACT901", measure=BREAKS), rule("ACT902", measure=ABSENT, checklist="act.unseen"))
    result = evaluate(checklist(*rules), broken)
    assert [row.verdict for row in result.checklist] == ["error", "not_measured"]
    assert result.rules[0].reason.startswith("the rule could not be evaluated: ")
    assert (result.findings, result.verdict) == ([], "not_measured")


def test_run_is_described_as_far_as_it_got():
    """Steps up to the last probe or epoch, and whether the training ended by itself."""
    from tfhealth.recorder import Recorder

    recorder = Recorder(None)
    recorder.meta(name="mnist")
    recorder.epoch(0, 40, {"loss": 1.0})
    recorder.note("weight.std", "no room")
    run = recorder.snapshot()
    recorder.close()
    result = evaluate(checklist(rule()), run)
    info = result.run
    assert (info.path, info.name, info.status, info.complete) == (None, "mnist", "running", False)
    assert (info.steps, info.probed_steps, info.ended) == (40, 0, None)
    assert result.notes == [{"subject": "weight.std", "why": "no room"}]
    assert result.tfhealth == __version__


@pytest.mark.parametrize("status", ["running", "interrupted", "failed"])
def test_incomplete_run_is_judged_all_the_same(status: str):
    """What is there counts, and the result says that it is not all."""
    result = evaluate(checklist(about("ACT901", "bad")), trained(status, bad=SICK))
    assert (result.verdict, result.run.status, result.run.complete) == ("fail", status, False)
    assert result.run.steps == 10


@pytest.mark.parametrize("empty", [True, False], ids=["no probe", "with probes"])
def test_builtin_checklist_has_a_verdict_for_every_row(empty: bool):
    """All rows in order; a run without probes passes none of them, and no rule breaks down."""
    builtin = load_checklist()
    result = evaluate(builtin, run_of({}) if empty else trained(Dense=WELL))
    assert [row.id for row in result.checklist] == [one.id for one in builtin.items]
    assert [one.rule for one in result.rules] == [one.id for one in builtin.rules]
    assert [one for one in result.rules if one.verdict == "error"] == []
    assert all(row.reason for row in result.checklist)
    if empty:
        verdicts = {row.id: row.verdict for row in result.checklist}
        assert verdicts.pop("data.split-leak") == "not_applicable"  # without validation there is nothing to leak into
        assert set(verdicts.values()) == {"not_measured", "guide"}


@pytest.mark.parametrize(
    ("series", "begun", "verdict", "about"),
    [
        ({("activation", "dense", "std"): [1.0] * 9}, False, "pass", "activation"),
        ({("activation", "dense", "std"): [9.0] * 9}, False, "fail", "Title of ACT901"),
        ({("activation", "dense", "std"): [1.0] * 9}, True, "not_measured", "it fell over"),
        ({("gradient", "dense", "norm"): [1.0] * 9}, False, "not_measured", "Title of ACT901"),
    ],
)
def test_a_row_is_decided_by_the_way_of_looking_that_was_taken(series, begun, verdict, about):
    """An experiment that nobody asked for leaves a fit's answer standing; one that was begun and fell over does not."""
    tried = rule("ACT902", measure={"site": "experiment", "statistic": "loss", "where": {"name": "overfit_tiny"}})
    known = {("experiment", "overfit_tiny"): {}} if begun else {}
    run = run_of(series, known, notes=[("experiment overfit_tiny", "it fell over")])
    (row,) = evaluate(checklist_of(rule(), tried), run).checklist
    assert (row.verdict, row.rules) == (verdict, ["ACT901", "ACT902"])
    assert about in row.reason
