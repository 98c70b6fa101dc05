"""What is missing, what is no number, and what differs at some layers, from the rule to the report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.helpers import rule, run_of, write_rules
from tfhealth import HealthCallback
from tfhealth.decide import can_reach
from tfhealth.diagnosis import evaluate
from tfhealth.report.evidence import evidence
from tfhealth.report.view import view
from tfhealth.result import Finding
from tfhealth.rules import Checklist, Rule, load_checklist
from tfhealth.rules.checklist import Item, Override
from tfhealth.run import Run

LAYERS = {("activation", name, "std"): [value] * 4 for name, value in (("enc/a", 9.0), ("enc/b", 5.0), ("dec/a", 1.0))}


def checklist(one: Rule, *overrides: Override) -> Checklist:
    """Return a checklist of one row and one rule."""
    item = Item(id="act.std-range", asks="Is it well?", sources=["V1"], how=["fit"])
    return replace(Checklist((("Activations", (item,)),), (one,), {"V": "an article"}), overrides=overrides)


def found(one: Rule, run: Run, *overrides: Override) -> Finding:
    (finding,) = evaluate(checklist(one, *overrides), run).findings
    return finding


def facts(one: Rule, run: Run) -> dict[str, str]:
    """Return the facts of the report's only finding."""
    rules = checklist(one)
    (part,) = view(evaluate(rules, run), run, rules).findings
    return {pair.name: pair.value for pair in part.facts}


MANDATORY: dict[str, Any] = {
    "measure": {"site": "fact", "attribute": "keras", "where": {"name": "seed"}},
    "condition": {"missing": "error"},
    "message": "{site} is {value:.3g} at {step}, not {low:g}.",
    "examples": [{"value": 1, "verdict": "pass"}, {"missing": True, "verdict": "fail"}],
}


def test_finding_about_what_is_missing_has_no_value_and_no_step():
    """Its message says that they are unknown; the report says that nothing was there, and what was asked."""
    run = run_of({}, {("fact", "fit"): {"epochs": 3}})
    finding = found(rule(**MANDATORY), run)
    assert (finding.site, finding.kind, finding.value, finding.step, finding.limits) == ("seed", "fact", None, None, {})
    assert finding.message == "seed is unknown at unknown, not unknown."
    assert [(one.name, one.value, one.step) for one in finding.sites] == [("seed", None, None)]
    told = facts(rule(**MANDATORY), run)
    assert (told["Value"], told["Breach"]) == ("not there", "not there (built-in limit)")
    assert "Since" not in told


def test_missing_statistic_is_told_apart_from_nan():
    """Both have no number; one was measured."""
    one = rule(condition={"missing": "error", "nonfinite": "error", "error": {"above": 20}})
    missing = run_of({("activation", "a", "std"): [1.0]}, {("activation", "b"): {}})
    nan = run_of({("activation", "a", "std"): [1.0, np.nan]})
    assert (found(one, missing).site, found(one, nan).site) == ("b", "a")
    assert found(one, nan).limits == {}
    assert (facts(one, missing)["Value"], facts(one, nan)["Value"]) == ("not there", "NaN or Inf")
    breach = "above 20, or not there, or NaN or Inf at any probe (built-in limit)"
    assert facts(one, missing)["Breach"] == facts(one, nan)["Breach"] == breach
    assert facts(one, nan)["Since"] == "step 1"


def test_finding_has_the_limits_and_words_of_its_layer():
    """Where the worst site was judged by another form of the rule, that is what is shown."""
    strict = rule(condition={"critical": {"above": 4}}, message="{site} is above {high:g}, says the team.")
    finding = found(rule(), run_of(LAYERS), Override("enc/b", "ACT901", strict, "the team"))
    assert (finding.site, finding.severity, finding.limits_set_by) == ("enc/b", "critical", "the team")
    assert finding.message == "enc/b is above 4, says the team."
    assert [(one.name, one.severity) for one in finding.sites] == [("enc/b", "critical"), ("enc/a", "error")]


def test_chart_shows_what_was_judged():
    """Layers that are switched off are not in the sum that the chart shows; other layers are beside the worst."""
    total = rule(measure={"site": "activation", "statistic": "std", "across": "sum"})
    off = Override("enc/a", "ACT901", None, "acme")
    run = run_of(LAYERS)
    finding = found(total, run, off)
    picture = evidence(finding, total, run, [off])
    assert (finding.site, finding.value) == ("enc/b … dec/a", 6.0)
    (line,) = picture.chart.lines
    assert (line.label, line.values.tolist()) == ("enc/b … dec/a", [6.0] * 4)


@pytest.mark.parametrize(
    ("active", "expected"),
    [
        ({}, ""),
        ({"until_step": 1}, " Only step 0 counts."),
        ({"after_step": 1, "until_step": 3}, " Only what lies from step 1 on before step 3 counts."),
        ({"phase": "end"}, " Only what lies in the last quarter of the fit's steps counts."),
    ],
    ids=str,
)
def test_chart_says_which_part_of_the_run_counts(active: dict[str, Any], expected: str):
    """Steps and phases."""
    one, run = rule(active=active), run_of(LAYERS)
    picture = evidence(found(one, run), one, run)
    assert picture.caption == f"What the rule judged: activation std.{expected} Green: within the limits."


def test_there_is_no_chart_of_what_was_not_measured():
    """A finding about the absence of a statistic has nothing to draw."""
    one = rule(condition={"missing": "error", "error": {"above": 2}})
    run = run_of({}, {("activation", "a"): {}})
    assert evidence(found(one, run), one, run) is None


def test_rung_may_be_reached_by_a_policy_or_at_one_layer_only():
    """Whoever waits for critical findings asks every form of a rule, and every word of its condition."""
    strict = Override("enc", "ACT901", rule(condition={"critical": {"above": 1}}), "acme")
    off = Override("enc", "ACT901", None, "acme")
    assert can_reach(rule(), [], "critical") is can_reach(rule(), [off], "critical") is False
    assert can_reach(rule(), [off, strict], "critical") is True
    assert can_reach(rule(condition={"nonfinite": "critical", "info": {"above": 1}}), [], "critical") is True


STOPPING = """\
id: ACT901
title: Nothing that anybody logs
checklist: act.std-range
measure: {site: log, statistic: value, where: {name: never}}
condition: {missing: critical}
message: "{site} is not there."
why: Why not.
advice: Log it.
references: [a book]
examples:
  - {values: "1", verdict: pass}
  - {missing: true, verdict: fail}
"""


def test_what_is_missing_does_not_stop_a_training(tmp_path: Path):
    """While it goes on, it may come yet; at the end it is a finding all the same."""
    rules = write_rules(tmp_path / "rules", {"ACT901-nothing.yaml": STOPPING})
    assert load_checklist(rules).rules[0].condition.severities == ("critical",)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    callback = HealthCallback(rules=rules, out=tmp_path, formats="json", on_fail="stop", every=1, verbose=0)
    history = model.fit(np.ones((8, 3)), np.ones(8), batch_size=4, epochs=3, verbose=0, callbacks=[callback])
    assert len(history.epoch) == 3
    assert [(one.rule, one.severity) for one in callback.result.findings] == [("ACT901", "critical")]
    written = json.loads((callback.run_dir / "result.json").read_text("utf-8"))
    assert written["findings"][0]["message"] == "never is not there."
