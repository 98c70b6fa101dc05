"""(Rule, Run) -> Decision: which sites and steps a rule is about, and why it sometimes says neither pass nor fail."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.helpers import rule, run_of
from tfhealth.decide import decide, decide_all, measured
from tfhealth.plan import Plan, fits
from tfhealth.rules import Checklist, Measure
from tfhealth.run import Run, Table
from tfhealth.series import Probe, Series, Site

DENSE = {"layer": "Dense", "output": False, "units": 8}
LAST = {"layer": "Dense", "output": True, "units": 1}
STD = ("activation", "a", "std"), ("activation", "b", "std")


def two(first: list[float], second: list[float], **extra: Any) -> Run:
    """Return a run with `std` at a hidden layer and at the output."""
    return run_of(
        {STD[0]: first, STD[1]: second},
        {("activation", "a"): DENSE, ("activation", "b"): LAST},
        **extra,
    )


def said(run: Run, **keys: Any) -> tuple[str, str]:
    decision = decide(rule(**keys), run)
    return decision.verdict, decision.reason


def where(run: Run, **keys: Any) -> list[tuple[str, int | None]]:
    """Return the sites at which a rule holds, each with its step, in the order of the decision."""
    return [(site.name, outcome.step) for site, outcome, _ in decide(rule(**keys), run).breaches]


def measure(**keys: Any) -> dict[str, Any]:
    return {"site": "activation", "statistic": "std", **keys}


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, ["a", "b"]),
        ({"output": False}, ["a"]),
        ({"output": True}, ["b"]),
        ({"layer": ["Dense", "Conv2D"]}, ["a", "b"]),
        ({"units": {"above": 4}}, ["a"]),
        ({"units": {"not": {"equals": 8}}}, ["b"]),
        ({"units": 1, "output": True}, ["b"]),
        ({"unheard_of": None}, ["a", "b"]),
        ({"unheard_of": {"not": {"equals": 3}}}, ["a", "b"]),
    ],
    ids=str,
)
def test_where_chooses_sites_by_their_attributes(chosen: dict[str, Any], expected: list[str]):
    """By a value, a list or a test; an attribute that a site lacks counts as None."""
    run = two([9, 9], [9, 9])
    assert [name for name, _ in where(run, measure=measure(where=chosen))] == expected


def test_no_site_of_the_kind_is_not_applicable():
    """Sites are there, but none that the rule is about: also where the statistic was not probed at them."""
    run = two([9, 9], [9, 9])
    expected = ("not_applicable", "no activation of the kind that this rule is about")
    assert said(run, measure=measure(where={"layer": "LSTM"})) == expected
    assert said(run, measure=measure(statistic="dead_fraction", where={"layer": "LSTM"})) == expected
    assert said(run, measure={"expr": "activation.std / activation.std", "where": {"layer": "LSTM"}}) == expected


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        ([], "activation dead_fraction was not probed in this run"),
        ([("activation.dead_fraction", "no memory left")], "no memory left"),
        ([("activation", "all of them failed")], "all of them failed"),
        ([("probes", "another callback replaced the train function")], "another callback replaced the train function"),
        ([("activation a", "an integer tensor")], "an integer tensor"),
        ([("activation a", "an integer tensor"), ("probes", "none at all")], "none at all"),
        ([("weight.std", "something else"), ("gradient b", "and that")], "activation dead_fraction was not probed in "
                                                                        "this run"),
    ],
    ids=str,
)  # fmt: skip
def test_what_was_not_probed_is_not_measured_and_says_why(notes: list[tuple[str, str]], expected: str):
    """The note about the statistic, its kind or one of its sites is the reason."""
    run = two([1, 1], [1, 1], notes=notes)
    assert said(run, measure=measure(statistic="dead_fraction")) == ("not_measured", expected)


def test_kind_that_was_not_seen_is_not_measured():
    """No gradient in the run at all, whether the rule looks at numbers or at attributes."""
    run = two([1, 1], [1, 1])
    reason = "no gradient was seen in this run"
    assert said(run, measure={"site": "gradient", "statistic": "norm"}) == ("not_measured", reason)
    assert said(run, measure={"expr": "activation.std / gradient.norm"}) == ("not_measured", reason)
    attribute = {"site": "gradient", "attribute": "connected"}
    expected = ("not_measured", "no gradient site was seen")
    assert said(run, measure=attribute, condition={"error": {"equals": False}}) == expected


def test_several_kinds_are_judged_together_in_their_order():
    """Sites of the kinds that were measured stand under each other; one kind may be missing."""
    run = run_of(
        {
            ("loss", "batch", "nonfinite"): [0, 1, 1],
            ("gradient", "w", "nonfinite"): Series(np.array([1]), np.array([1])),
        }
    )
    keys = {
        "measure": {"site": ["activation", "loss", "gradient"], "statistic": "nonfinite"},
        "condition": {"critical": {"above": 0.5}},
    }
    assert where(run, **keys) == [("batch", 1), ("w", 1)]
    assert said(run, **keys) == ("fail", "2 of 2 activation or loss or gradient sites")


def test_attribute_is_judged_by_words():
    """One site breaches, one passes, and one of which nothing is known does not count."""
    run = run_of(
        {},
        {
            ("prediction", "a"): {"activation": "softmax", "units": 1},
            ("prediction", "b"): {"activation": "relu", "units": 3},
            ("prediction", "c"): {"units": 3},
        },
    )
    keys = {
        "measure": {"site": "prediction", "attribute": "activation"},
        "condition": {"error": {"equals": "softmax"}, "info": {"equals": "relu"}},
    }
    decision = decide(rule(**keys), run)
    assert (decision.verdict, decision.judged, decision.reason) == ("fail", 2, "1 of 2 prediction sites")
    assert [(site.name, value) for site, _, value in decision.breaches] == [("a", "softmax")]
    chosen = {**keys["measure"], "where": {"units": {"above": 2}}}
    assert said(run, **{**keys, "measure": chosen})[0] == "pass"
    unknown = {**keys["measure"], "where": {"activation": None}}
    expected = ("not_measured", "the activation of prediction c is not known")
    assert said(run, **{**keys, "measure": unknown}) == expected


def test_when_asks_for_facts():
    """A fact with another value makes a rule not applicable; one that is not known leaves it not measured."""
    run = two([9, 9], [1, 1])
    run = Run(None, run.meta, {**run.sites, Site("fact", "fit"): {"initial_step": 5}}, run.tables)
    assert said(run, when={"fit.initial_step": 5})[0] == "fail"
    assert said(run, when={"fit.initial_step": 0}) == ("not_applicable", "fit.initial_step is 5")
    assert said(run, when={"fit.shuffle": True}) == ("not_measured", "fit.shuffle is not known")
    assert said(run, when={"fit.initial_step": {"above": 3}})[0] == "fail"


def test_only_the_active_steps_count():
    """What breaches before or after is not seen; steps are those of the training, not of the window."""
    run = two([9, 1, 1, 9, 9, 1], [1] * 6)
    assert where(run, active={"after_step": 1}) == [("a", 3)]
    assert said(run, active={"after_step": 1, "until_step": 3})[0] == "pass"
    assert where(run, active={"until_step": 1}) == [("a", 0)]


def test_too_few_probes_are_not_a_pass():
    """A rule that needs more than the run has, by `active`, by `for` or by a share, has not been measured."""
    run = two([1, 1], [1, 1])
    expected = ("not_measured", "needs 3 probes, the run has 2")
    assert said(run, active={"probes": 3}) == expected
    assert said(run, condition={"for": 3, "error": {"above": 2}}) == expected
    assert said(run, condition={"for": {"share": 0.1}, "error": {"above": 2}}) == expected
    assert said(run, active={"after_step": 2}) == ("not_measured", "needs 1 probes, the run has 0")


def test_site_with_too_few_probes_is_left_out():
    """It neither counts among those judged nor hides what the others show."""
    late = Series(np.array([2]), np.array([9.0]))
    run = run_of({STD[0]: [1, 1, 1], STD[1]: late})
    decision = decide(rule(active={"probes": 3}), run)
    assert (decision.verdict, decision.judged) == ("pass", 1)


def test_nan_alone_is_not_a_pass():
    """Where nothing could be compared the rule has measured nothing; one finite value is enough."""
    nan = [np.nan, np.inf]
    assert said(two(nan, nan)) == ("not_measured", "every measured value was NaN or Inf")
    assert said(two(nan, [1, 1]))[0] == "pass"
    assert said(two(nan, [1, 1]), condition={"error": {"nonfinite": True}})[0] == "fail"
    assert said(two(nan, nan), condition={"error": {"any": [{"above": 3}, {"nonfinite": True}]}})[0] == "fail"


GUARD = {"measure": {"site": "loss", "statistic": "data"}, "holds": {"above": 0.5}}


def guarded(loss: Series | list[float]) -> Run:
    return run_of({STD[0]: [9.0] * 6, STD[1]: [1.0] * 6, ("loss", "batch", "data"): loss})


def test_while_lets_a_breach_count_only_where_it_holds():
    """The loss is one site and counts for every other; what it says holds until its next probe."""
    assert where(guarded([0, 0, 1, 1, 1, 0]), **{"while": GUARD}) == [("a", 2)]
    sparse = Series(np.array([1, 4]), np.array([1.0, 0.0]))
    keys = {"while": GUARD, "condition": {"for": 3, "error": {"above": 2}}}
    assert where(guarded(sparse), **keys) == [("a", 1)]
    assert where(guarded(sparse), **{**keys, "condition": {"for": 4, "error": {"above": 2}}}) == []


def test_while_that_never_holds_is_a_pass_that_says_so():
    """The circumstances of the fault did not arise, also where they are NaN."""
    expected = ("pass", "its condition never arose in 6 probes")
    assert said(guarded([0.0] * 6), **{"while": GUARD}) == expected
    assert said(guarded([np.nan] * 6), **{"while": GUARD}) == expected
    inverse = {**GUARD, "holds": {"not": {"above": 0.5}}}
    assert said(guarded([np.nan] * 6), **{"while": inverse}) == expected


def test_while_that_was_not_measured_leaves_the_rule_not_measured():
    """Without the loss nobody knows whether the breach counts."""
    expected = ("not_measured", "no loss was seen in this run")
    assert said(two([9, 9], [9, 9]), **{"while": GUARD}) == expected
    apart = run_of(
        {
            STD[0]: [9.0] * 3,
            ("loss", "batch", "data"): Series(np.array([0, 2]), np.ones(2)),
            ("loss", "batch", "total"): Series(np.array([1]), np.ones(1)),
        }
    )
    never = {"measure": {"expr": "loss.data / loss.total"}, "holds": {"above": 0.5}}
    assert said(apart, **{"while": never})[0] == "not_measured"


def test_while_at_the_same_sites_counts_for_each_by_itself():
    """A guard over activations lets only those breach where it holds."""
    run = run_of(
        {
            STD[0]: [9.0, 9.0],
            STD[1]: [9.0, 9.0],
            ("activation", "a", "mean"): [0.0, 0.0],
            ("activation", "b", "mean"): [0.0, 1.0],
        }
    )
    keys = {"while": {"measure": {"site": "activation", "statistic": "mean"}, "holds": {"above": 0.5}}}
    assert where(run, **keys) == [("b", 1)]


@pytest.mark.parametrize(
    ("quantify", "three", "one"),
    [
        ("any", "fail", "fail"),
        ("all", "pass", "pass"),
        ({"share": 0.75}, "fail", "pass"),
        ({"share": 0.76}, "pass", "pass"),
        ({"count": 3}, "fail", "pass"),
        ({"count": 4}, "pass", "pass"),
        ({"count": 1}, "fail", "fail"),
    ],
    ids=str,
)
def test_quantify_says_how_many_sites_must_breach(quantify: Any, three: str, one: str):
    """Of four sites three breach, or one."""
    for breaching, expected in ((3, three), (1, one)):
        rows = {("activation", name, "std"): [9.0 if place < breaching else 1.0] for place, name in enumerate("abcd")}
        assert said(run_of(rows), quantify=quantify)[0] == expected


def test_rung_is_the_highest_that_enough_sites_reach():
    """Two of four are grave, all four are worth a warning: `all` makes a warning of it, the grave ones first."""
    rows = {("activation", name, "std"): [1.0, value] for name, value in zip("abcd", (3, 99, 3, 99), strict=True)}
    keys = {"condition": {"warning": {"above": 2}, "error": {"above": 50}}}
    everywhere = decide(rule(**keys, quantify="all"), run_of(rows))
    assert (everywhere.verdict, everywhere.severity) == ("warn", "warning")
    assert [site.name for site, _, _ in everywhere.breaches] == ["b", "d", "a", "c"]
    anywhere = decide(rule(**keys), run_of(rows))
    assert (anywhere.verdict, anywhere.reason) == ("fail", "2 of 4 activation sites")
    assert [site.name for site, _, _ in anywhere.breaches] == ["b", "d"]


def test_earlier_breaches_come_first():
    """Of equal gravity the site that was first is the one that a finding shows."""
    assert where(two([1, 1, 9], [1, 9, 9])) == [("b", 1), ("a", 2)]


def test_note_of_information_is_a_pass_with_its_place():
    """The lowest rung does not complain, but is kept."""
    decision = decide(rule(condition={"info": {"above": 2}}), two([9, 9], [1, 1]))
    assert (decision.verdict, decision.severity, len(decision.breaches)) == ("pass", "info", 1)


def test_arithmetic_meets_by_the_name_of_the_site():
    """update.norm / weight.norm at each variable, in the order of the first; one without a partner is left out."""
    run = run_of(
        {
            ("weight", "k2", "norm"): [10.0, 10.0],
            ("weight", "k1", "norm"): [2.0, 4.0],
            ("weight", "k4", "norm"): [1.0, 1.0],
            ("update", "k1", "norm"): [1.0, 1.0],
            ("update", "k2", "norm"): [1.0, 2.0],
            ("update", "k3", "norm"): [7.0, 7.0],
        }
    )
    panel = measured(Measure(expr="update.norm / weight.norm"), run)
    assert [(site.kind, site.name) for site in panel.sites] == [("update", "k1"), ("update", "k2")]
    np.testing.assert_allclose(panel.values, [[0.5, 0.25], [0.1, 0.2]])


def test_arithmetic_takes_the_steps_that_all_have():
    """Statistics of different probes meet at the steps where both were measured."""
    run = run_of(
        {
            ("loss", "batch", "regularization"): Series(np.array([0, 2, 4, 5]), np.array([1.0, 2.0, 3.0, 4.0])),
            ("loss", "batch", "data"): Series(np.array([2, 3, 5]), np.array([4.0, 5.0, 8.0])),
        }
    )
    panel = measured(Measure(expr="loss.regularization / loss.data"), run)
    assert (panel.steps.tolist(), panel.values.tolist()) == ([2, 5], [[0.5, 0.5]])


def test_kind_with_one_site_goes_with_every_other():
    """The one loss of a run stands beside every activation."""
    run = run_of({STD[0]: [1.0, 2.0], STD[1]: [3.0, 4.0], ("loss", "batch", "data"): [2.0, 4.0]})
    panel = measured(Measure(expr="activation.std * loss.data"), run)
    assert panel.values.tolist() == [[2.0, 8.0], [6.0, 16.0]]


def test_parts_at_different_sites_are_not_measured():
    """Nothing to divide by anywhere."""
    run = run_of(
        {
            ("update", "a", "norm"): [1.0],
            ("update", "b", "norm"): [1.0],
            ("weight", "c", "norm"): [1.0],
            ("weight", "d", "norm"): [1.0],
        }
    )
    expected = ("not_measured", "update.norm / weight.norm: its parts were not measured at the same sites")
    assert said(run, measure={"expr": "update.norm / weight.norm"}) == expected


def test_across_layers_makes_one_series_with_the_name_of_both_ends():
    """Too few layers are no fault of the run: the rule does not apply."""
    rows = {("gradient", f"k{number}", "rms"): [10.0**number, 1.0] for number in range(5)}
    keys = {"measure": {"site": "gradient", "statistic": "rms", "across": "decades"}}
    assert where(run_of(rows), **keys) == [("k0 … k4", 0)]
    few = dict(list(rows.items())[:3])
    expected = ("not_applicable", "too few layers (3) to compare over depth")
    assert said(run_of(few), **keys) == expected


def test_relative_is_to_the_start_of_the_run_and_not_of_the_window():
    """What grew before the window counts as growth."""
    run = two([1, 1, 1, 1, 1, 30, 30], [1] * 7)
    keys = {"measure": measure(relative_to="start"), "condition": {"error": {"above": 20}}}
    assert where(run, **keys, active={"after_step": 5}) == [("a", 5)]


def test_rule_that_breaks_down_is_an_error_and_no_exception():
    """A file from elsewhere with words where numbers belong: the other rules are still decided."""
    site = Site("activation", "a")
    run = Run(None, {}, {site: {}}, (Table((Probe(site, "std"),), np.arange(2), np.array([["x"], ["y"]])),))
    broken, sound = rule(), rule("ACT902", measure={"site": "activation", "attribute": "layer"})
    rows = (("Activations", ()),)
    first, second = decide_all(Checklist(rows, (broken, sound), {}), run)
    assert first.verdict == "error"
    assert first.reason.startswith("the rule could not be evaluated: ")
    assert (second.verdict, second.reason) == ("not_measured", "the layer of activation a is not known")


def test_plan_asks_for_what_the_rules_read_and_nothing_else():
    """Statistics of a rule, of its arithmetic and of its guard, at the sites that it is about."""
    rules = (
        rule(measure=measure(where={"output": False}), **{"while": GUARD}),
        rule("ACT902", measure={"expr": "update.norm / weight.norm"}),
        rule("ACT903", measure={"site": "prediction", "attribute": "units"}),
        rule("ACT904", measure={"site": ["activation", "gradient"], "statistic": "nonfinite"}),
    )
    plan = Plan.of(Checklist((), rules, {}))
    assert plan.statistics("activation", {"output": False}) == ("std", "nonfinite")
    assert plan.statistics("activation", {"output": True}) == ("nonfinite",)
    assert plan.statistics("gradient", {}) == ("nonfinite",)
    assert [plan.statistics(kind, {}) for kind in ("update", "weight", "loss")] == [("norm",), ("norm",), ("data",)]
    assert plan.statistics("prediction", {}) == plan.statistics("input", {}) == ()


def test_constraint_compares_a_flag_with_a_flag():
    """`output: true` is not met by a word."""
    assert fits(rule(measure=measure(where={"a": True})).measure.where, {"a": True}) is True
    assert fits(rule(measure=measure(where={"a": True})).measure.where, {"a": "true"}) is False
    assert fits({}, {"a": 1}) is True
