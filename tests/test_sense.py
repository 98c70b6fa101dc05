"""What is legal in a rule and cannot be meant: tests that never or always hold, rungs in the wrong order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import rule
from tfhealth.conditions import Bound, holds
from tfhealth.rules import load_checklist
from tfhealth.rules.sense import impossible

SHARE = {"site": "activation", "statistic": "dead_fraction"}


def found(measure: dict[str, Any] | None = None, **keys: Any) -> list[tuple[str, str]]:
    """Return what is impossible in a rule: the path, joined by dots, and the words."""
    asked = rule(**({"measure": measure} if measure else {}), **keys)
    return [(".".join(map(str, path)), what) for path, what in impossible(asked)]


@pytest.mark.parametrize(
    ("warning", "error", "told"),
    [
        ({"above": 2}, {"above": 3}, None),
        ({"above": 3}, {"above": 2}, "above 3 is not milder than error, above 2"),
        ({"above": 3}, {"above": 3}, "above 3 is not milder than error, above 3"),
        ({"below": 3}, {"below": 2}, None),
        ({"below": 2}, {"below": 3}, "below 2 is not milder than error, below 3"),
        ({"outside": [0.5, 2]}, {"outside": [0.1, 9]}, None),
        ({"outside": [0.5, 2]}, {"outside": [0.5, 9]}, None),
        ({"outside": [0.1, 9]}, {"outside": [0.5, 2]}, "outside [0.1, 9] is not milder than error, outside [0.5, 2]"),
        ({"outside": [0.5, 9]}, {"outside": [0.1, 2]}, "outside [0.5, 9] is not milder than error, outside [0.1, 2]"),
        ({"inside": [1, 9]}, {"inside": [2, 3]}, None),
        ({"inside": [2, 3]}, {"inside": [1, 9]}, "inside [2, 3] is not milder than error, inside [1, 9]"),
        ({"above": 3}, {"below": -3}, None),
        ({"look": "mean", "above": 3}, {"above": 2}, None),
        ({"look": "mean", "above": 3}, {"look": "mean", "above": 2}, "above 3 is not milder than error, above 2"),
        ({"look": "mean", "window": {"probes": 3}, "above": 3}, {"look": "mean", "above": 2}, None),
        ({"not": {"above": 3}}, {"not": {"above": 2}}, None),
    ],
    ids=str,
)
def test_rung_below_another_is_milder(warning: dict[str, Any], error: dict[str, Any], told: str | None):
    """What is an error is worth a warning too, and something is worth a warning alone; else the rungs are swapped."""
    name = next(key for key in warning if key not in ("look", "window"))
    more = "what breaches error must breach warning too, and warning must be breached by more"
    expected = [] if told is None else [(f"condition.warning.{name}", f"{told}: {more}")]
    mean = {"site": "activation", "statistic": "mean"}
    assert found(mean, condition={"warning": warning, "error": error}) == expected


@given(st.permutations([1.0, 2.0, 3.0, 4.0]), st.sampled_from(["above", "below"]))
def test_order_of_four_rungs(limits: list[float], name: str):
    """Exactly the rungs are named that some severer one leaves nothing to."""
    rungs = ("info", "warning", "error", "critical")
    paths = {
        path for path, _ in found(condition={rung: {name: limit} for rung, limit in zip(rungs, limits, strict=True)})
    }
    sign = 1 if name == "above" else -1
    wrong = {
        f"condition.{rung}.{name}"
        for place, rung in enumerate(rungs)
        if any(sign * limits[place] >= sign * other for other in limits[place + 1 :])
    }
    assert paths == wrong


INSIDE = "every value of activation.dead_fraction is from 0 to 1"


@pytest.mark.parametrize(
    ("test", "told"),
    [
        ({"above": 0.4}, None),
        ({"above": 0}, None),
        ({"above": 1}, f"{INSIDE}: none of them breaches it"),
        ({"above": 40}, f"{INSIDE}: none of them breaches it"),
        ({"above": -0.1}, f"{INSIDE}: every one of them breaches it"),
        ({"below": 0}, f"{INSIDE}: none of them breaches it"),
        ({"below": 1.1}, f"{INSIDE}: every one of them breaches it"),
        ({"below": 1}, None),
        ({"outside": [0, 1]}, f"{INSIDE}: none of them breaches it"),
        ({"outside": [2, 3]}, f"{INSIDE}: every one of them breaches it"),
        ({"outside": [0.1, 3]}, None),
        ({"inside": [2, 3]}, f"{INSIDE}: none of them breaches it"),
        ({"inside": [-1, 3]}, f"{INSIDE}: every one of them breaches it"),
        ({"inside": [1, 3]}, None),
        ({"equals": 2}, f"{INSIDE}: none of them breaches it"),
        ({"equals": 1}, None),
        ({"one_of": [2, -3]}, f"{INSIDE}: none of them breaches it"),
        ({"one_of": [2, 0.5, 10**400]}, None),
        ({"equals": "1"}, "activation.dead_fraction is a number, so this never holds; legal: numbers"),
        ({"one_of": [1, None]}, "activation.dead_fraction is a number, so this never holds; legal: numbers"),
        ({"like": "1*"}, "activation.dead_fraction is a number, so this never holds; legal: numbers"),
        ({"nonfinite": True}, None),
        ({"look": "median", "above": 40}, f"{INSIDE}: none of them breaches it"),
        ({"look": "mean", "window": {"probes": 3}, "above": 40}, f"{INSIDE}: none of them breaches it"),
        ({"look": "trend", "above": 40}, None),
        ({"look": "change", "above": 40}, None),
    ],
    ids=str,
)
def test_test_of_a_statistic_tells_its_values_apart(test: dict[str, Any], told: str | None):
    """A share above 40 is meant to be 0.4: no value can breach it, and so nobody would ever hear of it."""
    name = next(key for key in test if key not in ("look", "window"))
    expected = [] if told is None else [(f"condition.error.{name}", told)]
    assert found(SHARE, condition={"error": test}) == expected


NUMBERS = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0])
TESTS = st.one_of(
    st.builds(lambda x: {"above": x}, NUMBERS),
    st.builds(lambda x: {"below": x}, NUMBERS),
    st.builds(lambda x: {"equals": x}, NUMBERS),
    st.builds(lambda x: {"one_of": x}, st.lists(NUMBERS, min_size=1)),
    st.builds(lambda x: {"outside": sorted(x)}, st.sets(NUMBERS, min_size=2, max_size=2)),
    st.builds(lambda x: {"inside": sorted(x)}, st.sets(NUMBERS, min_size=2, max_size=2)),
)


@given(TESTS)
def test_what_is_called_impossible_is(test: dict[str, Any]):
    """Over a fine grid of legal values: all of them breach, or none."""
    results = {holds(Bound.model_validate(test), float(value)) for value in np.linspace(0, 1, 101)}
    told = [what for _, what in found(SHARE, condition={"error": test})]
    assert (len(results) == 1) is bool(told)
    if told:
        assert told[0].endswith("every one of them breaches it" if results == {True} else "none of them breaches it")


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (SHARE, 1),
        ({**SHARE, "across": "maximum"}, 1),
        ({**SHARE, "across": "sum"}, 0),
        ({**SHARE, "across": "decades"}, 0),
        ({**SHARE, "relative_to": "start"}, 0),
        ({"expr": "activation.dead_fraction * 100"}, 0),
        ({"site": "activation", "statistic": "mean"}, 0),
        ({"site": ["activation", "loss"], "statistic": "nonfinite"}, 1),
    ],
    ids=str,
)
def test_range_is_known_of_a_statistic_and_what_stays_in_it(measure: dict[str, Any], expected: int):
    """What is divided, added up or computed can have any value."""
    assert len(found(measure, condition={"error": {"above": 40}})) == expected


def test_tests_are_looked_for_everywhere():
    """In combinations, in what clears, and in a guard, each with the keys that lead there."""
    nested = {"all": [{"above": 0.5}, {"not": {"any": [{"below": 0.1}, {"above": 40}]}}]}
    guard = {"measure": {"site": "input", "statistic": "nonfinite_fraction"}, "holds": {"not": {"above": 1}}}
    keys = {"condition": {"error": nested}, "while": guard}
    assert [path for path, _ in found(SHARE, **keys)] == [
        "condition.error.all.1.not.any.1.above",
        "while.holds.not.above",
    ]
    clears = {"condition": {"error": {"above": 0.5}, "clears": {"below": -1}}}
    assert [path for path, _ in found(SHARE, **clears)] == ["condition.clears.below"]


@pytest.mark.parametrize(
    ("active", "expected"),
    [
        ({"after_step": 5, "until_step": 6}, []),
        (
            {"after_step": 6, "until_step": 6},
            [("active.until_step", "no step is both from step 6 on and before step 6")],
        ),
        ({"after_epoch": 1, "until_epoch": 1.5}, []),
        (
            {"after_epoch": 3, "until_epoch": 2},
            [("active.until_epoch", "nothing lies both after 3 epochs and before the end of 2")],
        ),
    ],
    ids=str,
)
def test_part_of_a_run_begins_before_it_ends(active: dict[str, Any], expected: list[tuple[str, str]]):
    """Else no probe counts, and the rule is never measured."""
    assert found(active=active) == expected


def test_attribute_may_be_anything():
    """Of attributes no range is known, and text is one of them."""
    shown = [{"value": "a", "verdict": "pass"}, {"value": "b", "verdict": "fail"}]
    keys = {"condition": {"error": {"like": "b*"}}, "examples": shown}
    assert found({"site": "activation", "attribute": "layer"}, **keys) == []


@pytest.mark.parametrize("one", load_checklist().rules, ids=lambda one: one.id)
def test_builtin_rules_make_sense(one: Any):
    """No rule of ours says what cannot be meant."""
    assert impossible(one) == []
