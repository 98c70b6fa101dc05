"""A partial rule over a rule: what is merged, what is replaced, what goes, and one severity for all."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfhealth.rules import load_checklist
from tfhealth.rules.merge import at_severity, merged
from tfhealth.rules.pack import built_in

BASE = {
    "measure": {"site": "activation", "statistic": "std", "where": {"layer": ["Dense"], "units": {"above": 1}}},
    "condition": {"for": {"share": 0.3}, "warning": {"look": "last", "above": 1}, "error": {"outside": [0, 3]}},
    "quantify": {"share": 0.5},
    "references": ["a", "b"],
}


@pytest.mark.parametrize(
    ("patch", "path", "expected"),
    [
        ({"condition": {"error": {"outside": [0, 9]}}}, "condition.error", {"outside": [0, 9]}),
        ({"condition": {"error": {"outside": [0, 9]}}}, "condition.warning", {"look": "last", "above": 1}),
        ({"condition": {"warning": {"below": 2}}}, "condition.warning", {"look": "last", "below": 2}),
        ({"condition": {"warning": {"look": "mean"}}}, "condition.warning", {"look": "mean", "above": 1}),
        ({"condition": {"warning": {"look": None}}}, "condition.warning", {"above": 1}),
        ({"condition": {"warning": {"not": {"above": 2}}}}, "condition.warning", {"not": {"above": 2}}),
        ({"condition": {"nonfinite": "error"}}, "condition", {**BASE["condition"], "nonfinite": "error"}),
        ({"condition": {"warning": {"equals": None}}}, "condition.warning", {"look": "last", "equals": None}),
        ({"condition": {"critical": {"above": 9}}}, "condition.critical", {"above": 9}),
        ({"condition": {"for": 5}}, "condition.for", 5),
        ({"condition": {"for": {"probes": 5}}}, "condition.for", {"probes": 5}),
        ({"quantify": {"count": 2}}, "quantify", {"count": 2}),
        ({"quantify": None}, "", {key: value for key, value in BASE.items() if key != "quantify"}),
        ({"references": ["c"]}, "references", ["c"]),
        ({"measure": {"where": {"layer": None}}}, "measure.where", {"units": {"above": 1}}),
        ({"measure": {"where": {"layer": [None]}}}, "measure.where.layer", [None]),
        ({"measure": {"where": {"units": {"below": 9}}}}, "measure.where.units", {"below": 9}),
        ({"measure": {"where": {"units": 7}}}, "measure.where.units", 7),
        # An attribute may be called as a test is: it takes no other attribute away.
        ({"measure": {"where": {"any": True}}}, "measure.where", {**BASE["measure"]["where"], "any": True}),
        ({"measure": {"where": {"equals": None}}}, "measure.where", BASE["measure"]["where"]),
        ({"active": {"probes": 3, "until_step": None}}, "active", {"probes": 3}),
        ({}, "", BASE),
    ],
)  # fmt: skip
def test_patch_is_merged(patch: dict[str, Any], path: str, expected: Any):
    """Mappings merge, all else is replaced, null takes away, and a bound keeps how it looks but not its test."""
    found = merged(BASE, patch)
    for key in path.split(".") if path else ():
        found = found[key]
    assert found == expected


def test_base_is_left_alone():
    """A rule that is changed twice is changed from what its file says."""
    before = repr(BASE)
    merged(BASE, {"condition": {"warning": {"below": 2}, "for": None}, "measure": None})
    assert repr(BASE) == before


PLAIN = st.recursive(
    st.sampled_from([None, 1, "x"]),
    lambda inner: st.dictionaries(st.sampled_from(["a", "above", "for", "where", "look", "equals"]), inner, max_size=3),
    max_leaves=8,
)
MAPPINGS = st.dictionaries(st.sampled_from(["a", "condition", "above", "below"]), PLAIN, max_size=3)


@given(MAPPINGS, MAPPINGS)
def test_merging_twice_is_merging_once(base: dict[str, Any], patch: dict[str, Any]):
    """A profile that two others extend may be laid over a rule again."""
    once = merged(base, patch)
    assert merged(once, patch) == once


@pytest.mark.parametrize(
    ("severity", "expected"),
    [
        ("info", {"info": {"above": 2}}),
        ("warning", {"info": {"above": 1}, "warning": {"above": 2}}),
        ("error", {"info": {"above": 1}, "error": {"above": 2}}),
        ("critical", {"info": {"above": 1}, "critical": {"above": 2}}),
    ],
)
def test_severity_moves_the_mildest_complaint(severity: Any, expected: dict[str, Any]):
    """Of warning and error the warning's test stays, at the rung that was asked for; the note stays below it."""
    condition = {"info": {"above": 1}, "warning": {"above": 2}, "error": {"above": 3}}
    assert at_severity({"id": "X", "condition": condition}, severity) == {"id": "X", "condition": expected}


def test_severity_of_a_rule_that_only_notes():
    """It complains with the test that it noted."""
    noting = {"condition": {"for": 2, "info": {"above": 1}}}
    moved = {"condition": {"for": 2, "info": {"above": 1}, "error": {"above": 1}}}
    assert (at_severity(noting, "error"), at_severity(noting, "info")) == (moved, noting)


def test_severity_moves_policies_that_complain():
    """What a missing or non-finite value means moves along; where it is no complaint it stays."""
    condition = {"warning": {"above": 1}, "missing": "critical", "nonfinite": "ignore"}
    found = at_severity({"condition": condition}, "error")["condition"]
    assert found == {"error": {"above": 1}, "missing": "error", "nonfinite": "ignore"}


@pytest.mark.parametrize("one", built_in().rules, ids=lambda one: one.rule.id)
def test_every_built_in_rule_can_be_set_to_one_severity(one: Any):
    """Whatever its rungs are, its complaints are then at the one that was asked for."""
    for severity in ("warning", "error", "critical"):
        found = load_checklist(profile={"set": {one.rule.id: {"severity": severity}}}).rule(one.rule.id)
        complaints = [name for name, _ in found.condition.rungs() if name != "info"]
        assert (complaints or [found.condition.missing]) == [severity]
