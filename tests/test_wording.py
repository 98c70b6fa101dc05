"""Tests, durations and policies in words: the same on the page of a rule and in a report."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helpers import condition, rule
from tfhealth.conditions import SEVERITIES, Bound
from tfhealth.report import words
from tfhealth.rules import load_checklist
from tfhealth.rules.explain import explain_rule
from tfhealth.rules.wording import active_in_words, bound_in_words, breach_in_words


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ({"above": 20000}, "above 20000"),
        ({"below": 1e-12}, "below 1e-12"),
        ({"outside": [0.5, 2]}, "outside 0.5 to 2"),
        ({"inside": [-3, 2]}, "inside -3 to 2"),
        ({"equals": True}, "equal to true"),
        ({"equals": None}, "equal to null"),
        ({"one_of": ["relu", None, 3]}, "one of relu, null, 3"),
        ({"like": "conv*"}, "like conv*"),
        ({"like": ["a*", "b?"]}, "like a* or b?"),
        ({"nonfinite": True}, "NaN or Inf"),
        ({"look": "first", "above": 1}, "first value above 1"),
        ({"look": "last", "above": 1}, "median of the last tenth above 1"),
        ({"look": "mean", "above": 1}, "mean of all values above 1"),
        ({"look": "maximum", "below": 1}, "largest value below 1"),
        ({"look": "change", "above": -0.02}, "change above -0.02"),
        ({"look": "trend", "above": 2}, "trend above 2"),
        ({"look": "mean", "window": {"probes": 5}, "above": 1}, "mean over the last 5 probes above 1"),
        (
            {"look": "minimum", "window": {"steps": 1000000}, "above": 1},
            "smallest value over the last 1000000 steps above 1",
        ),
        ({"look": "trend", "window": {"epochs": 1}, "above": 2}, "trend over the last epoch above 2"),
        ({"look": "median", "window": {"epochs": 0.5}, "above": 2}, "median over the last 0.5 epochs above 2"),
        ({"not": {"above": 2}}, "not (above 2)"),
        ({"all": [{"above": 1}, {"below": 2}]}, "above 1 and below 2"),
        ({"any": [{"above": 2}, {"below": 1}]}, "above 2 or below 1"),
        (
            {"all": [{"any": [{"above": 2}, {"below": 1}]}, {"not": {"equals": 3}}]},
            "(above 2 or below 1) and not (equal to 3)",
        ),
        ({"any": [{"any": [{"above": 2}, {"below": 1}]}, {"equals": 3}]}, "above 2 or below 1 or equal to 3"),
    ],
    ids=str,
)
def test_test_in_words(test: dict[str, Any], expected: str):
    """Which values breach, and how they are looked at."""
    assert bound_in_words(Bound.model_validate(test)) == expected


@pytest.mark.parametrize(
    ("lasting", "expected"),
    [
        (1, ""),
        (3, " for 3 probes in a row"),
        ({"probes": 3}, " for 3 probes in a row"),
        ({"steps": 1}, " for 1 step or more"),
        ({"steps": 2000}, " for 2000 steps or more"),
        ({"epochs": 1}, " for 1 epoch or more"),
        ({"epochs": 2.5}, " for 2.5 epochs or more"),
        ({"share": 0.3}, " for 30% of the run or more"),
    ],
    ids=str,
)
def test_duration_in_words(lasting: Any, expected: str):
    """In the unit in which it was given."""
    assert breach_in_words(condition(**{"for": lasting}, error={"above": 1}), "error") == f"above 1{expected}"


def test_everything_that_breaches_a_rung_is_told():
    """The test, how it ends, what is missing and what is no number, each at its own rung."""
    asked = condition(
        **{"for": 3}, warning={"above": 1}, error={"above": 2}, clears={"below": 0.5}, missing="error", nonfinite="info"
    )
    assert {name: breach_in_words(asked, name) for name in SEVERITIES} == {
        "info": "NaN or Inf at any probe",
        "warning": "above 1 for 3 probes in a row, until below 0.5",
        "error": "above 2 for 3 probes in a row, until below 0.5, or not there",
        "critical": "",
    }


def test_report_says_the_same_with_its_own_numbers():
    """Numbers are read by people there: with commas, and flags as yes and no."""
    assert words.limit(Bound(look="median", outside=(0.5, 20000))) == "median of all values outside 0.5 to 20,000"
    assert words.limit(Bound(below=-3)) == "below −3"
    assert words.limit(Bound(equals=True)) == "equal to yes"
    assert words.breach(condition(error={"above": 2}, missing="error"), "error") == "above 2, or not there"


@pytest.mark.parametrize(
    ("active", "expected"),
    [
        ({}, []),
        ({"after_step": 10, "until_step": 20}, ["from step 10 on", "before step 20"]),
        ({"after_epoch": 1, "until_epoch": 1}, ["after 1 epoch", "within the first epoch"]),
        ({"after_epoch": 0.5, "until_epoch": 2}, ["after 0.5 epochs", "within the first 2 epochs"]),
        ({"phase": "first"}, ["in the first step of this fit"]),
        ({"phase": "warm_up"}, ["in the first tenth of the fit's steps"]),
        ({"phase": "steady"}, ["in the fit's steps after the first tenth"]),
        ({"phase": "end"}, ["in the last quarter of the fit's steps"]),
    ],
    ids=str,
)
def test_part_of_a_run_in_words(active: dict[str, Any], expected: list[str]):
    """Steps, epochs and phases."""
    assert active_in_words(rule(active=active).active) == expected


def test_page_of_a_rule_tells_all_of_it():
    """What is new in a rule is on its page: policies, phases, patterns as code, and that it is outdated."""
    shown = [{"value": 1, "verdict": "pass"}, {"missing": True, "verdict": "fail"}]
    one = rule(
        measure={"site": "fact", "attribute": "keras", "where": {"name": {"like": "se*d"}}},
        condition={"missing": "error"},
        active={"phase": "end", "after_epoch": 2},
        deprecated="use SEED002",
        examples=shown,
    )
    page = explain_rule(one, load_checklist())
    assert "# ACT901 Title of ACT901\n\nDeprecated: use SEED002\n" in page
    assert (
        "the attribute `keras` of every fact where `name` is like `se*d`; after 2 epochs; in the last quarter" in page
    )
    assert "## Limits\n\n- **error**: not there\n" in page
    assert "- `1` → pass\n- nothing there → fail\n" in page
    other = explain_rule(rule(condition={"missing": "not_applicable", "error": {"above": 2}}), load_checklist())
    assert "- **error**: above 2\n- not applicable where it is not there\n" in other
