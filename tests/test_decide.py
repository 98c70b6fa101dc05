"""(Rule, Run) -> Decision: which sites and steps a rule is about, and why it sometimes says neither pass nor fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tests.helpers import rule, run_of
from tfhealth.conditions import Clock
from tfhealth.decide import Decision, decide, decide_all, decide_example, switched_off
from tfhealth.panels import active as active_part
from tfhealth.panels import clock_of, measured
from tfhealth.plan import Plan, described, fits
from tfhealth.recorder import Recorder
from tfhealth.rules import Checklist, Measure
from tfhealth.rules.checklist import Override
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


def given(*holds: dict[str, Any]) -> dict[str, Any]:
    measure = {"site": "loss", "statistic": "data"}
    return {"given": [{"measure": measure, "holds": one} for one in holds]}


def test_given_lets_a_breach_count_only_in_a_run_where_all_of_it_holds():
    """Large values are a fault only given that the loss ended high, at whatever step it was so."""
    high, low = {"look": "last", "above": 0.5}, {"below": 0.1}
    assert where(guarded([0, 0, 0, 1, 1, 1]), **given(high)) == [("a", 0)]
    assert where(guarded([0, 0, 0, 1, 1, 1]), **given(high, low)) == [("a", 0)]
    assert where(guarded([1, 1, 1, 1, 1, 1]), **given(high, low)) == []
    assert said(guarded([1, 1, 1, 0, 0, 0]), **given(high)) == ("pass", "its condition never arose in 6 probes")


def test_given_that_was_not_measured_leaves_the_rule_not_measured():
    """Without the loss nobody knows whether the breach counts."""
    assert said(two([9, 9], [9, 9]), **given({"above": 0.5})) == ("not_measured", "no loss was seen in this run")


def test_given_may_count_as_if_it_held_where_it_was_not_measured():
    """The breach counts without the loss; with it, only where the loss says so."""
    keys = given({"above": 0.5})
    keys["given"][0]["where_absent"] = "holds"
    assert where(two([9, 9], [9, 9]), **keys) == [("a", 0), ("b", 0)]
    assert where(guarded([0, 0, 0, 0, 0, 0]), **keys) == []


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


def test_breaches_that_are_too_few_are_a_pass_that_says_what_was_seen():
    """The reason is the same as that of a pass without any."""
    assert said(two([9, 9], [1, 1]), quantify="all") == ("pass", "9, 1 at 2 activation sites")
    words = {"measure": {"site": "activation", "attribute": "layer"}, "condition": {"error": {"equals": "LSTM"}}}
    run = run_of({}, {("activation", "a"): {"layer": "LSTM"}, ("activation", "b"): {"layer": "GRU"}})
    assert said(run, **words, quantify="all") == ("pass", "LSTM, GRU at 2 activation sites")


def test_rung_is_the_highest_that_enough_sites_reach():
    """Two of four are grave, all four are worth a warning: `all` makes a warning of it, the grave ones first."""
    rows = {("activation", name, "std"): [1.0, value] for name, value in zip("abcd", (3, 99, 3, 99), strict=True)}
    keys = {"condition": {"warning": {"above": 2}, "error": {"above": 50}}}
    everywhere = decide(rule(**keys, quantify="all"), run_of(rows))
    assert (everywhere.verdict, everywhere.severity) == ("warn", "warning")
    assert [site.name for site, _, _ in everywhere.breaches] == ["b", "d", "a", "c"]
    anywhere = decide(rule(**keys), run_of(rows))
    assert (anywhere.verdict, anywhere.reason) == ("fail", "2 of 4 activation sites")
    told = [(site.name, seen.severity) for site, seen, _ in anywhere.breaches]
    assert told == [("b", "error"), ("d", "error"), ("a", "warning"), ("c", "warning")]


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


def test_validation_is_set_against_the_last_training_probe_before_it():
    """A pass after step 3 is recorded as of step 4; training's own step 4 comes after it. Sites meet by name."""
    training = Series(np.array([0, 1, 3, 4, 9]), np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    validation = Series(np.array([0, 4, 20]), np.array([10.0, 10.0, 10.0]))
    run = run_of(
        {
            ("input", "b", "mean"): training,
            ("input", "a", "mean"): Series(training.steps, training.values * 2),
            ("validation_input", "a", "mean"): validation,
            ("validation_input", "b", "mean"): validation,
        }
    )
    panel = measured(Measure(expr="validation_input.mean - input.mean"), run)
    assert [(site.kind, site.name) for site in panel.sites] == [("validation_input", "a"), ("validation_input", "b")]
    assert panel.steps.tolist() == [0, 4, 20]
    assert panel.measured.tolist() == [[False, True, True]] * 2  # nothing was trained before the first pass
    assert panel.values[:, 1:].tolist() == [[4.0, 0.0], [7.0, 5.0]]
    reverse = measured(Measure(expr="input.mean - validation_input.mean"), run)
    assert [(site.kind, site.name) for site in reverse.sites] == [("input", "b"), ("input", "a")]
    assert reverse.values[:, 1:].tolist() == [[-7.0, -5.0], [-4.0, 0.0]]


def test_validation_after_training_that_was_never_probed_is_not_measured():
    """What has no training probe before it is in no difference."""
    first = Series(np.array([0]), np.array([1.0]))
    run = run_of(
        {("input", "a", "mean"): Series(np.array([5]), np.array([1.0])), ("validation_input", "a", "mean"): first}
    )
    verdict, _ = said(run, measure={"expr": "validation_input.mean - input.mean"})
    assert verdict == "not_measured"


def test_pass_after_the_last_step_of_an_epoch_belongs_to_it():
    """As what Keras logs there does."""
    passes = Series(np.array([10, 20, 30]), np.array([1.0, 2.0, 3.0]))
    panel = measured(
        Measure(site="validation_input", statistic="mean"), run_of({("validation_input", "a", "mean"): passes})
    )
    found = active_part(rule(active={"until_epoch": 1}).active, panel, Clock(0, 30, 10))
    assert found.steps.tolist() == [10]


def test_arithmetic_with_facts():
    """A fact is one number for every step and site; one that is not known, or no number, leaves the rule open."""
    facts = {("fact", "model"): {"parameters": 600, "name": "net", "built": True}}
    run = run_of({("input", "a", "samples"): [32.0, 8.0]}, facts)
    panel = measured(Measure(expr="fact.model.parameters / input.samples * fact.model.built"), run)
    assert (panel.sites, panel.values.tolist()) == ((Site("input", "a"),), [[18.75, 75.0]])
    expected = ("not_measured", "fit.epochs is not known")
    assert said(run, measure={"expr": "input.samples / fact.fit.epochs"}) == expected
    expected = ("not_measured", "model.name is net, which is no number")
    assert said(run, measure={"expr": "input.samples / fact.model.name"}) == expected


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


def override(match: str, keys: dict[str, Any] | None, set_by: str = "acme") -> Override:
    """Return that the rule of these tests differs where `match` fits; None switches it off."""
    return Override(match, "ACT901", None if keys is None else rule(**keys), set_by)


def overridden(run: Run, *overrides: Override, **keys: Any) -> Decision:
    return decide(rule(**keys), run, overrides)


def breaching(decision: Decision) -> list[str]:
    return [site.name for site, _, _ in decision.breaches]


def layers(**values: float) -> Run:
    """Return a run with one layer a value; `enc_a` is the layer `enc/a`."""
    return run_of({("activation", name.replace("_", "/"), "std"): [value] * 3 for name, value in values.items()})


MILD = {"condition": {"error": {"above": 50}}}
HARD = {"condition": {"warning": {"above": 0.5}}}


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([], ["enc/a", "dec/a"]),
        ([("enc/**", None)], ["dec/a"]),
        ([("enc", None)], ["dec/a"]),
        ([("enc/**", MILD)], ["dec/a"]),
        ([("**", MILD)], []),
        ([("**", None), ("dec/*", MILD)], []),
        ([("**", MILD), ("**/a", {})], ["enc/a", "dec/a"]),
        ([("enc/a", {}), ("enc/*", None)], ["dec/a"]),
        ([("other/**", None)], ["enc/a", "dec/a"]),
    ],
    ids=str,
)
def test_last_override_that_matches_a_site_counts(overrides: list[tuple[str, Any]], expected: list[str]):
    """Each site is judged by its own form of the rule, or by none."""
    run = layers(enc_a=9, dec_a=9, dec_b=1)
    found = overridden(run, *[override(match, keys) for match, keys in overrides])
    assert breaching(found) == expected


def test_decision_tells_by_which_form_a_site_was_judged():
    """Its own rule, or that of the override, and who said so."""
    run = layers(enc_a=9, dec_a=9, dec_b=1)
    hard = override("dec/**", HARD, "the team")
    found = overridden(run, hard, override("enc/x", None))
    assert (found.verdict, found.judged, found.reason) == ("fail", 3, "1 of 3 activation sites")
    everywhere = overridden(run, hard, quantify="all")
    assert (everywhere.verdict, everywhere.severity) == ("warn", "warning")
    assert breaching(everywhere) == ["enc/a", "dec/a", "dec/b"]
    forms = [everywhere.variant_of(site) for site, _, _ in everywhere.breaches]
    assert forms == [everywhere.rule, hard.rule, hard.rule]
    assert [everywhere.set_by(site) for site, _, _ in everywhere.breaches] == [None, "the team", "the team"]


def test_sites_that_are_switched_off_are_not_counted():
    """Half of the layers must breach, and a layer that is switched off is none of them."""
    run = layers(enc_a=9, dec_a=1, dec_b=1, dec_c=1)
    half = {"quantify": {"share": 0.5}}
    assert overridden(run, **half).verdict == "pass"
    found = overridden(run, override("dec/[bc]", None), **half)
    assert (found.verdict, found.judged) == ("fail", 2)


def test_rule_that_is_switched_off_everywhere_is_not_applicable():
    """The reason names who did, each once."""
    run = layers(enc_a=9, dec_a=9)
    off = [override("enc", None, "the team"), override("dec", None, "acme"), override("enc/a", None, "the team")]
    found = overridden(run, *off)
    assert (found.verdict, found.reason) == ("not_applicable", "switched off at every site by the team, acme")
    assert overridden(run, off[0]).verdict == "fail"
    never = overridden(run, override("**", None), measure={"site": "gradient", "statistic": "norm"})
    assert never.verdict == "not_applicable"


def test_what_is_switched_off_is_left_out_before_layers_are_reduced():
    """The sum over layers is over those that are left; an override of limits counts where it is for all of them."""
    run = layers(enc_a=9, enc_b=9, dec_a=1)
    total = {"measure": measure(across="sum"), "condition": {"error": {"above": 15}}}
    assert breaching(overridden(run, **total)) == ["enc/a … dec/a"]
    found = overridden(run, override("enc/b", None), **total)
    assert (found.verdict, found.reason) == ("pass", "10 at 1 activation site")
    assert overridden(run, override("enc/**", MILD), **total).verdict == "fail"
    some = overridden(run, override("enc/**", MILD), override("dec", None), **total)
    assert (some.verdict, some.reason) == ("pass", "18 at 1 activation site")
    everywhere = overridden(run, override("**", {"condition": {"warning": {"above": 5}}}), **total)
    ((site, _, _),) = everywhere.breaches
    assert (everywhere.verdict, everywhere.set_by(site)) == ("warn", "acme")


def test_override_of_an_attribute_and_of_arithmetic():
    """Every kind of measure has sites, so every kind can be overridden."""
    run = run_of(
        {("update", "enc/k", "norm"): [9.0], ("weight", "enc/k", "norm"): [1.0], ("update", "dec/k", "norm"): [9.0]}
        | {("weight", "dec/k", "norm"): [1.0]},
        {("gradient", "enc/k"): {"connected": False}, ("gradient", "dec/k"): {"connected": False}},
    )
    ratio = {"measure": {"expr": "update.norm / weight.norm"}}
    assert breaching(overridden(run, override("enc", None), **ratio)) == ["dec/k"]
    cut = {"measure": {"site": "gradient", "attribute": "connected"}, "condition": {"error": {"equals": False}}}
    assert breaching(overridden(run, override("enc", None), **cut)) == ["dec/k"]
    calm = {"condition": {"info": {"equals": False}}, "examples": BOOLS}
    assert breaching(overridden(run, override("enc", calm), **cut)) == ["dec/k"]


BOOLS = [{"value": True, "verdict": "pass"}, {"value": False, "verdict": "fail"}]


def test_sites_of_one_rule_may_need_different_amounts_of_time():
    """Each form is given the probes that it needs; a site that has too few for its own is left out."""
    run = layers(enc_a=9, dec_a=9)
    slow = override("enc", {"condition": {"for": 9, "error": {"above": 2}}})
    found = overridden(run, slow)
    assert (breaching(found), found.judged) == (["dec/a"], 1)
    healthy = overridden(run, slow, condition={"error": {"above": 99}})
    assert (healthy.verdict, healthy.reason) == ("not_measured", "needs 9 probes, the run has 3")


def test_every_rule_of_a_checklist_gets_its_own_overrides():
    """An override of another rule changes nothing."""
    run = layers(enc_a=9, dec_a=9)
    rules = (rule(), rule("ACT902"))
    checklist = Checklist((), rules, {}, overrides=(Override("enc", "ACT902", None, "acme"),))
    first, second = decide_all(checklist, run)
    assert (breaching(first), breaching(second)) == (["enc/a", "dec/a"], ["dec/a"])


def test_sites_that_are_switched_off_are_known_to_others():
    """Whoever draws what a rule judged leaves out the same sites."""
    run = layers(enc_a=9, dec_a=9)
    assert switched_off(rule(), run, [override("enc", None)]) == {Site("activation", "enc/a")}
    assert switched_off(rule(), run, []) == set()


SEED = {"site": "fact", "attribute": "keras", "where": {"name": "seed"}}
NEEDED = {"missing": "error"}
NOTHING = {"examples": [{"value": 1, "verdict": "pass"}, {"missing": True, "verdict": "fail"}]}


@pytest.mark.parametrize(
    ("facts", "verdict", "reason", "sites"),
    [
        ({("fact", "seed"): {"keras": 3}}, "pass", "3 at 1 fact site", []),
        ({("fact", "seed"): {"keras": None}}, "fail", "1 of 1 fact sites", ["seed"]),
        ({("fact", "seed"): {}}, "fail", "1 of 1 fact sites", ["seed"]),
        ({("fact", "model"): {"keras": 3}}, "fail", "1 of 1 fact sites", ["seed"]),
        ({}, "fail", "1 of 1 fact sites", ["seed"]),
    ],
    ids=str,
)
def test_what_is_mandatory_and_missing_is_a_breach(facts: Any, verdict: str, reason: str, sites: list[str]):
    """The attribute of the one site asked for by name: there, empty, or the site was never seen."""
    found = decide(rule(measure=SEED, condition=NEEDED, **NOTHING), run_of({}, facts))
    assert (found.verdict, found.reason, breaching(found)) == (verdict, reason, sites)
    for _, outcome, value in found.breaches:
        assert (outcome.by, outcome.step, value) == ("missing", None, None)


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ("not_measured", ("not_measured", "no fact named seed was seen in this run")),
        ("not_applicable", ("not_applicable", "no fact named seed was seen in this run")),
        ("info", ("pass", "1 of 1 fact sites")),
        ("warning", ("warn", "1 of 1 fact sites")),
    ],
)
def test_what_is_missing_means_what_the_rule_says(missing: str, expected: tuple[str, str]):
    """By default nothing that was not measured is a pass, and it is no failure either."""
    keys = {"condition": {"missing": missing, "error": {"equals": 0}}, "examples": BOOLS}
    run = run_of({}, {("fact", "fit"): {"epochs": 3}})
    assert said(run, measure=SEED, **keys) == expected


@pytest.mark.parametrize(
    ("asked", "series", "expected"),
    [
        ({"site": "log", "statistic": "value", "where": {"name": "val_loss"}}, {}, [("log", "val_loss")]),
        ({"site": "gradient", "statistic": "norm"}, {}, [("gradient", "norm")]),
        ({"expr": "update.norm / weight.norm"}, {}, [("update", "update.norm / weight.norm")]),
        ({"site": "activation", "statistic": "dead_fraction"}, {}, [("activation", "a"), ("activation", "b")]),
        ({"site": "activation", "statistic": "mean"}, {("activation", "a", "mean"): [1]}, [("activation", "b")]),
        ({"site": "activation", "statistic": "mean"}, {("activation", "a", "mean"): [9]},
         [("activation", "a"), ("activation", "b")]),
        ({"site": "activation", "statistic": "mean", "across": "sum"}, {("activation", "a", "mean"): [1]}, []),
        ({"expr": "activation.mean / activation.std"}, {("activation", "a", "mean"): [1]}, [("activation", "b")]),
        ({"expr": "activation.std / activation.mean"}, {("activation", "a", "mean"): [1]}, [("activation", "b")]),
        ({"site": ["loss", "activation"], "statistic": "nonfinite"}, {("loss", "batch", "nonfinite"): [0]},
         [("activation", "a"), ("activation", "b")]),
    ],
    ids=str,
)  # fmt: skip
def test_statistic_that_is_missing_is_a_breach_at_each_site(asked: Any, series: Any, expected: list[tuple[str, str]]):
    """At the sites seen that lack it; where none was seen, at one that is named after what is asked for."""
    run = run_of({STD[0]: [1], STD[1]: [1], **series})
    found = decide(rule(measure=asked, condition={"missing": "error", "error": {"above": 2}}), run)
    assert [(site.kind, site.name) for site, _, _ in found.breaches] == expected
    assert found.verdict == ("fail" if expected else "pass")


def test_missing_is_no_matter_of_sites_that_a_rule_is_not_about():
    """`where` and overrides come first, also with sites of another kind than the rule wants."""
    run = run_of({STD[0]: [1]}, {("activation", "a"): DENSE, ("activation", "b"): LAST})
    keys = {"condition": {"missing": "error", "error": {"above": 2}}}
    assert breaching(decide(rule(**keys), run)) == ["b"]
    assert decide(rule(**keys, measure=measure(where={"output": False})), run).verdict == "pass"
    assert decide(rule(**keys, measure=measure(where={"layer": "LSTM"})), run).verdict == "not_applicable"
    assert overridden(run, override("b", None), **keys).verdict == "pass"
    calm = override("b", {"condition": {"missing": "not_measured", "error": {"above": 2}}})
    assert overridden(run, calm, **keys).verdict == "pass"
    strict = override("b", keys)
    assert breaching(overridden(run, strict)) == ["b"]


def test_missing_is_told_apart_from_too_short():
    """One site has too few probes, the other has none at all, and only that is a breach."""
    run = run_of({STD[0]: [9, 9]}, {("activation", "b"): LAST})
    keys = {"condition": {"for": 3, "missing": "warning", "error": {"above": 2}}}
    assert breaching(decide(rule(**keys), run)) == ["b"]
    guard = {"while": {"measure": {"site": "loss", "statistic": "data"}, "holds": {"above": 0}}}
    alone = run_of({STD[0]: [9] * 5})
    assert said(alone, **keys, **guard) == ("not_measured", "no loss was seen in this run")


def test_nan_can_be_a_breach_of_a_rule_that_is_about_something_else():
    """Even where every value is one, and where the run is too short for the test itself."""
    nan = [np.nan, np.nan]
    keys = {"condition": {"nonfinite": "error", "error": {"above": 2}}}
    assert where(two(nan, [1, 1]), **keys) == [("a", 0)]
    assert said(two(nan, nan), **keys) == ("fail", "2 of 2 activation sites")
    assert said(two([1, 1], [1, 1]), **keys)[0] == "pass"
    short = {**keys, "active": {"probes": 5}}
    found = decide(rule(**short), two([9, np.nan], [9, 9]))
    assert (breaching(found), found.judged) == (["a"], 1)
    assert said(two([9, 9], [9, 9]), **short) == ("not_measured", "needs 5 probes, the run has 2")


def fitted(steps: Sequence[int], values: Sequence[float], epochs: Sequence[int] = (), **fit: Any) -> Run:
    """Return a run with `std` at one layer, epochs that ended after `epochs` steps, and facts of the fit."""
    recorder = Recorder(None)
    site = Site("activation", "a")
    recorder.site(site, {})
    recorder.site(Site("fact", "fit"), fit)
    layout = recorder.layout([Probe(site, "std")])
    recorder.append(layout, np.array(steps, np.int64), np.array(values, np.float64).reshape(-1, 1))
    for number, step in enumerate(epochs):
        recorder.epoch(number, step, {"val_loss": 9.0 if number == 1 else 1.0})
    run = recorder.snapshot()
    recorder.close()
    return run


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (fitted(range(20), [1] * 20, [10, 20], initial_step=0, steps_per_epoch=99), Clock(0, 20, 10)),
        (fitted([0, 5], [1] * 2, [], initial_step=0, steps_per_epoch=99), Clock(0, 6, 99)),
        (fitted([50, 55], [1] * 2, [60, 70, 75], initial_step=50), Clock(50, 75, 10)),
        (fitted([3, 5], [1] * 2, [10, 20]), Clock(3, 20, 10)),
        (fitted([3, 5], [1] * 2, [10], steps_per_epoch=7), Clock(3, 10, 7)),
        (fitted([3, 5], [1] * 2, [10]), Clock(3, 10, None)),
        (fitted([], [], []), Clock(0, 0, None)),
        (fitted([], [], [8], initial_step=0), Clock(0, 8, 8)),
    ],
)
def test_clock_of_a_run(run: Run, expected: Clock):
    """Epochs as they were, else as they were planned; a fit begins where it says it did, else at its first probe."""
    assert clock_of(run) == expected


def test_epochs_that_are_not_known_leave_a_rule_not_measured():
    """Whatever of it is in epochs."""
    run = fitted(range(20), [9.0] * 20)
    expected = ("not_measured", "how many steps an epoch has is not known")
    window = {"look": "mean", "window": {"epochs": 1}, "above": 2}
    assert said(run, condition={"for": {"epochs": 1}, "error": {"above": 2}}) == expected
    assert said(run, condition={"error": {"not": window}}) == expected
    assert said(run, active={"after_epoch": 1}) == expected
    assert said(run, active={"until_epoch": 0.5}) == expected
    assert said(run)[0] == "fail"
    slow = override("a", {"condition": {"for": {"epochs": 1}, "error": {"above": 2}}})
    assert overridden(run, slow).reason == expected[1]


@pytest.mark.parametrize(
    ("active", "expected"),
    [
        ({"after_epoch": 1}, (60, 140)),
        ({"until_epoch": 1}, (50, 59)),
        ({"after_epoch": 0.5, "until_epoch": 2}, (55, 69)),
        ({"after_epoch": 1, "after_step": 70}, (70, 140)),
        ({"phase": "first"}, (50, 50)),
        ({"phase": "warm_up"}, (50, 59)),
        ({"phase": "steady"}, (60, 149)),
        ({"phase": "end"}, (125, 149)),
        ({"phase": "end", "until_step": 130}, (125, 129)),
    ],
    ids=str,
)
def test_part_of_a_run_that_counts(active: dict[str, Any], expected: tuple[int, int]):
    """Phases and epochs are counted from the first step of the fit, which here is 50."""
    ends = range(60, 151 if "phase" in active else 141, 10)
    last = 150 if "phase" in active else 141
    run = fitted(range(50, last), range(50, last), ends, initial_step=50)
    part = rule(active=active).active
    steps = active_part(part, measured(rule().measure, run), clock_of(run)).steps
    assert (int(steps[0]), int(steps[-1])) == expected


def test_logs_belong_to_the_epoch_that_they_end():
    """The second epoch was bad, and only a rule that looks at it sees that."""
    run = fitted(range(40), [1] * 40, [10, 20, 30, 40], initial_step=0)
    logs = {"measure": {"site": "log", "statistic": "value"}}
    assert where(run, **logs) == [("val_loss", 20)]
    assert where(run, **logs, active={"after_epoch": 1, "until_epoch": 2}) == [("val_loss", 20)]
    assert said(run, **logs, active={"until_epoch": 1})[0] == "pass"
    assert said(run, **logs, active={"after_epoch": 2})[0] == "pass"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"for": {"steps": 50}, "error": {"above": 2}}, "needs 2 probes over 50 steps, the run has 20 over 20"),
        ({"for": {"epochs": 3}, "error": {"above": 2}}, "needs 2 probes over 30 steps, the run has 20 over 20"),
        ({"error": {"look": "mean", "window": {"steps": 30}, "above": 2}},
         "needs 1 probes over 30 steps, the run has 20 over 20"),
        ({"error": {"look": "mean", "window": {"probes": 30}, "above": 2}}, "needs 30 probes, the run has 20"),
        ({"for": 12, "error": {"look": "mean", "window": {"probes": 10}, "above": 2}},
         "needs 21 probes, the run has 20"),
        ({"error": {"look": "mean", "window": {"probes": 30}, "above": 2}, "warning": {"above": 99}},
         "needs 30 probes, the run has 20"),
    ],
    ids=str,
)  # fmt: skip
def test_run_that_is_too_short_for_a_breach_has_not_passed(condition: dict[str, Any], expected: str):
    """Durations and windows that are longer than the run; one rung of two is not all of a rule."""
    run = fitted(range(20), [9.0] * 20, [10, 20], initial_step=0)
    assert said(run, condition=condition) == ("not_measured", expected)


def test_run_that_is_too_short_for_one_rung_can_breach_another():
    """What was seen counts."""
    run = fitted(range(20), [9.0] * 20)
    long = {"look": "mean", "window": {"probes": 30}, "above": 2}
    assert said(run, condition={"error": long, "warning": {"above": 2}})[0] == "warn"
    noted = said(run, condition={"error": long, "info": {"above": 2}})
    assert noted == ("not_measured", "needs 30 probes, the run has 20")


def test_name_of_a_site_is_an_attribute():
    """Rules choose by it and judge it: how layers are called is a matter of the house."""
    run = run_of({STD[0]: [9, 9], STD[1]: [9, 9]}, {("activation", "a"): DENSE, ("activation", "b"): LAST})
    assert [name for name, _ in where(run, measure=measure(where={"name": "b"}))] == ["b"]
    assert [name for name, _ in where(run, measure=measure(where={"name": {"like": ["[a]", "c*"]}}))] == ["a"]
    named = {"site": "activation", "attribute": "name"}
    shown = [{"value": "b1", "verdict": "pass"}, {"value": "x", "verdict": "fail"}]
    keys = {"condition": {"error": {"not": {"like": "b*"}}}, "examples": shown}
    found = decide(rule(measure=named, **keys), run)
    assert [(site.name, value) for site, _, value in found.breaches] == [("a", "a")]


def test_plan_knows_sites_by_name():
    """What a rule wants at one layer is not probed at the others."""
    plan = Plan.of(Checklist((), (rule(measure=measure(where={"name": {"like": "enc*"}})),), {}))
    assert plan.statistics("activation", described(Site("activation", "enc/a"), {})) == ("std",)
    assert plan.statistics("activation", described(Site("activation", "dec/a"), {})) == ()


def test_text_fits_by_its_form():
    """`where: {loss: {like: "*crossentropy"}}` is met by every loss of that family."""
    like = rule(measure=measure(where={"loss": {"like": "*crossentropy"}})).measure.where
    assert fits(like, {"loss": "binary_crossentropy"}) is True
    assert fits(like, {"loss": "mean_squared_error"}) is fits(like, {}) is False


def test_examples_show_windows_epochs_and_what_is_missing():
    """One probe a step, ten steps an epoch."""
    mean = {"look": "mean", "window": {"epochs": 0.5}, "above": 5}
    condition = {"for": {"epochs": 1}, "missing": "warning", "error": mean}
    shown = rule(
        condition=condition,
        examples=[
            {"values": "9x13", "verdict": "pass"},
            {"values": "9x14", "verdict": "fail", "step": 4},
            {"missing": True, "verdict": "warn"},
        ],
    )
    for example in shown.examples:
        decision = decide_example(shown, example)
        ((_, outcome, _),) = decision.breaches
        assert decision.verdict == example.verdict
        assert example.step in (None, outcome.step)


@pytest.mark.parametrize(
    ("example", "expected"),
    [
        ({"missing": True, "value": 3}, "shows one of values, value and missing; received value and missing"),
        ({"values": "1x3", "value": 3}, "shows one of values, value and missing; received values and value"),
        ({}, "shows one of values, value and missing; received none"),
        ({"missing": False}, "Input should be True"),
        ({"missing": True}, "an example of what is missing needs condition.missing to be one of info, warning, error"),
        ({"values": "1x99999 1x99999"}, "has more than 100,000 values"),
    ],
    ids=str,
)
def test_example_shows_one_thing(example: dict[str, Any], expected: str):
    """Values, one value, or that nothing is there, where that means something."""
    shown = [{"values": "1x9", "verdict": "pass"}, {"values": "9", "verdict": "fail"}, {"verdict": "fail", **example}]
    with pytest.raises(ValidationError) as caught:
        rule(examples=shown)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"format": 2}, "written for a newer tfhealth (rule format 2, this one reads up to 1)"),
        ({"format": 0}, "rule format 0 does not exist; legal: 1"),
        ({"format": "1"}, "rule format '1' does not exist; legal: 1"),
        ({"format": True}, "rule format True does not exist; legal: 1"),
        ({"active": {"phase": "begining"}}, "phase 'begining' is unknown; legal: first, warm_up, steady, end"),
        ({"active": {"phase": "warm-up"}}, "did you mean 'warm_up'?"),
        ({"active": {"after_epoch": -1}}, "greater than or equal to 0"),
        ({"while": {"measure": {"site": "loss", "statistic": "data"},
                    "holds": {"not": {"look": "mean", "above": 1}}}}, "a guard looks at each value of a statistic"),
        (given({"look": "mean", "window": {"probes": 3}, "above": 1}), "given looks at the whole run"),
        ({"given": [{"measure": {"site": "fact", "attribute": "name"}, "holds": {"equals": "x"}}]}, "use `when`"),
    ],
    ids=str,
)  # fmt: skip
def test_rule_refuses_what_cannot_be_meant(keys: dict[str, Any], expected: str):
    """A form that is not known, a phase that does not exist, a guard with a look."""
    with pytest.raises(ValidationError) as caught:
        rule(**keys)
    assert expected in str(caught.value)
    assert rule(format=1).format == rule().format == 1
