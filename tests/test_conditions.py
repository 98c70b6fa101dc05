"""Series -> Outcome: every test, on values and on attributes, how long it must last, and what NaN does to it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.helpers import condition, panel
from tfhealth.conditions import (
    PHASES,
    SEVERITIES,
    Bound,
    Clock,
    Condition,
    Lasting,
    Outcome,
    holds,
    judge,
    judge_absence,
    judge_attribute,
    phase,
    possible,
)

NAN, INF = math.nan, math.inf


def bound(**keys: Any) -> Bound:
    return Bound.model_validate(keys)


def breached(row: list[float], steps: list[int] | None = None, **test: Any) -> list[int]:
    """Return the steps at which each value by itself, alone in a series of its length, breaches a test."""
    found = judge(condition(error=test), panel([[value] for value in row]))
    return [step for step, one in zip(steps or range(len(row)), found, strict=True) if one.severity]


VALUES = [-3.0, 0.0, 0.5, 1.0, 2.0, 7.0, NAN, INF, -INF]
ON_VALUES: list[tuple[dict[str, Any], list[float]]] = [
    ({"above": 1}, [2.0, 7.0]),
    ({"below": 0.5}, [-3.0, 0.0]),
    ({"outside": [0.5, 2]}, [-3.0, 0.0, 7.0]),
    ({"inside": [0.5, 2]}, [0.5, 1.0, 2.0]),
    ({"equals": 1}, [1.0]),
    ({"equals": True}, [1.0]),
    ({"equals": "1.0"}, []),
    ({"equals": None}, []),
    ({"one_of": [0, 7.0, "1", None]}, [0.0, 7.0]),
    ({"equals": INF}, []),
    ({"one_of": [NAN, INF, 2]}, [2.0]),
    ({"one_of": [10**400, 2, -(10**400)]}, [2.0]),
    ({"like": "*"}, []),
    ({"not": {"like": "*"}}, [-3.0, 0.0, 0.5, 1.0, 2.0, 7.0]),
    ({"nonfinite": True}, [NAN, INF, -INF]),
    ({"all": [{"above": 0}, {"below": 2}]}, [0.5, 1.0]),
    ({"any": [{"above": 2}, {"below": 0}]}, [-3.0, 7.0]),
    ({"any": [{"nonfinite": True}, {"equals": 0}]}, [0.0, NAN, INF, -INF]),
    ({"not": {"inside": [0, 2]}}, [-3.0, 7.0]),
    ({"not": {"above": 1}}, [-3.0, 0.0, 0.5, 1.0]),
    ({"not": {"nonfinite": True}}, [-3.0, 0.0, 0.5, 1.0, 2.0, 7.0]),
    ({"not": {"not": {"above": 1}}}, [2.0, 7.0]),
    ({"not": {"any": [{"above": 1}, {"below": 0}]}}, [0.0, 0.5, 1.0]),
    ({"all": [{"not": {"equals": 1}}, {"inside": [0, 2]}]}, [0.0, 0.5, 2.0]),
]


@pytest.mark.parametrize(("test", "expected"), ON_VALUES, ids=lambda one: str(one))
def test_each_kind_of_test_on_values(test: dict[str, Any], expected: list[float]):
    """Exactly these values of a series breach; NaN and Inf only where `nonfinite` asks for them."""
    found = [VALUES[place] for place in breached(VALUES, **test)]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("test", "expected"), ON_VALUES, ids=lambda one: str(one))
def test_numbers_as_attributes_are_judged_as_values_are(test: dict[str, Any], expected: list[float]):
    """One number recorded as an attribute breaches where it would in a series."""
    found = [value for value in VALUES if holds(bound(**test), value)]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ({"equals": "relu"}, ["relu"]),
        ({"equals": True}, [True]),
        ({"equals": False}, [False]),
        ({"equals": None}, [None]),
        ({"one_of": ["relu", None]}, ["relu", None]),
        ({"not": {"one_of": ["relu", None]}}, ["", "3", True, False]),
        ({"not": {"equals": "relu"}}, ["", "3", True, False, None]),
        ({"like": "re*"}, ["relu"]),
        ({"like": ["?", "r[ae]lu"]}, ["relu", "3"]),
        ({"like": "RELU"}, []),
        ({"like": "*"}, ["relu", "", "3"]),
        ({"not": {"like": "*l?"}}, ["", "3", True, False, None]),
        ({"above": 0.5}, [True]),
        ({"below": 0.5}, [False]),
        ({"outside": [1, 2]}, [False]),
        ({"inside": [1, 2]}, [True]),
        ({"nonfinite": True}, []),
        ({"any": [{"equals": "relu"}, {"above": 0}]}, ["relu", True]),
        ({"all": [{"not": {"equals": "relu"}}, {"not": {"equals": None}}]}, ["", "3", True, False]),
    ],
    ids=lambda one: str(one),
)
def test_words_and_flags_as_attributes(test: dict[str, Any], expected: list[Any]):
    """Text is judged by equals and one_of alone, never as a number; a flag is 0 or 1; None is no value."""
    values = ["relu", "", "3", True, False, None]
    found = [value for value in values if holds(bound(**test), value)]
    assert [repr(value) for value in found] == [repr(value) for value in expected]


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        ("first", "error"),
        ("last", None),
        ("mean", "error"),
        ("median", None),
        ("minimum", None),
        ("maximum", "error"),
        ("change", None),
    ],
)
def test_look_makes_one_number_of_a_series(look: str, expected: str | None):
    """A series with high values at its start only: the test sees what its look makes of it."""
    (outcome,) = judge(condition(error={"look": look, "above": 5}), panel([[60.0] * 3 + [1.0] * 17]))
    assert outcome.severity == expected


@pytest.mark.parametrize(("look", "step"), [("last", 90), ("change", 90), ("trend", 90), ("maximum", 0), ("median", 0)])
def test_what_is_seen_at_the_end_is_so_since_the_end(look: str, step: int):
    """A look that compares the end with something names the last step, the others the first."""
    row = np.linspace(1, 10, 10)
    (outcome,) = judge(condition(error={"look": look, "above": 1.2}), panel([row], steps=range(0, 100, 10)))
    assert (outcome.severity, outcome.step) == ("error", step)


def test_value_of_an_outcome_is_what_was_looked_at():
    """At the step of the breach for each value, else the reduced number; of a passing series its median."""
    row = [1.0, 1.0, 4.0, 9.0, 1.0]
    assert judge(condition(error={"above": 3}), panel([row]))[0] == Outcome("error", 2, 4.0, 5, True)
    assert judge(condition(error={"look": "maximum", "above": 3}), panel([row]))[0].value == 9.0
    assert judge(condition(error={"above": 30}), panel([row]))[0] == Outcome(None, None, 1.0, 5, True)
    assert judge(condition(error={"look": "maximum", "above": 30}), panel([row]))[0].value == 9.0


def test_look_sees_only_what_is_finite():
    """NaN in between neither breaches nor hides; a series of NaN alone breaches nothing and is not finite."""
    rows = [[NAN, 9.0, NAN, INF], [NAN, NAN, INF, -INF]]
    for look in ("first", "last", "mean", "median", "minimum", "maximum"):
        first, second = judge(condition(error={"look": look, "above": 5}), panel(rows))
        assert (first.severity, first.value, first.finite) == ("error", 9.0, True)
        assert (second.severity, second.finite) == (None, False)
        assert math.isnan(second.value)


FINITE_TESTS = st.deferred(
    lambda: st.one_of(
        st.builds(lambda x: {"above": x}, st.integers(-2, 2)),
        st.builds(lambda x: {"below": x}, st.integers(-2, 2)),
        st.builds(lambda x: {"outside": [x, x + 1]}, st.integers(-2, 2)),
        st.builds(lambda x: {"inside": [x, x + 1]}, st.integers(-2, 2)),
        st.builds(lambda x: {"equals": x}, st.sampled_from([0, 1.5, True, "a", None])),
        st.builds(lambda x: {"one_of": x}, st.lists(st.sampled_from([0, 1.5, True, "a", None]))),
        st.builds(lambda x: {"all": x}, st.lists(FINITE_TESTS, min_size=1, max_size=3)),
        st.builds(lambda x: {"any": x}, st.lists(FINITE_TESTS, min_size=1, max_size=3)),
        st.builds(lambda x: {"not": x}, FINITE_TESTS),
    )
)


@given(FINITE_TESTS, st.sampled_from([NAN, INF, -INF]))
def test_nan_and_inf_never_breach_by_accident(test: dict[str, Any], value: float):
    """However tests are nested: without `nonfinite` what is not finite breaches nothing, as value or as attribute."""
    assert judge(condition(error=test), panel([[value] * 3]))[0].severity is None
    assert holds(bound(**test), value) is False


@given(FINITE_TESTS, st.sampled_from([-2.0, -0.5, 0.0, 1.0, 1.5, 3.0]))
def test_values_and_attributes_agree(test: dict[str, Any], value: float):
    """The vectorized judge and the one for attributes are of one opinion."""
    outcome = judge(condition(error=test), panel([[value]]))[0]
    assert (outcome.severity == "error") is holds(bound(**test), value)


def plain_since(mask: list[bool], steps: list[int], measured: list[bool], lasting: dict[str, float]) -> int | None:
    """Return the step since which `mask` lasts, by walking over the probes one by one."""
    ((unit, amount),) = lasting.items()
    own = [place for place, there in enumerate(measured) if there]
    stands_for = [later - earlier for earlier, later in zip(_at(steps, own), _at(steps, own[1:]), strict=False)]
    stands_for += stands_for[-1:] or [1]
    stretch: list[int] = []
    for number, place in enumerate(own):
        stretch = [*stretch, number] if mask[place] else []
        covered = sum(stands_for[one] for one in stretch)
        enough = {
            "probes": len(stretch) >= amount,
            "share": len(stretch) >= 3 and covered >= amount * sum(stands_for) - 1e-9,
            "steps": len(stretch) >= min(amount, 2) and covered >= amount,
            "epochs": len(stretch) >= 2 and covered >= amount * STEPS_PER_EPOCH - 1e-6,
        }
        if enough[unit]:
            return steps[own[stretch[0]]]
    return None


def _at(values: list[int], places: list[int]) -> list[int]:
    return [values[place] for place in places]


PROBES = st.lists(st.tuples(st.integers(1, 40), st.booleans(), st.sampled_from([True, True, True, False])), max_size=25)


LASTING = st.one_of(
    st.builds(lambda n: {"probes": n}, st.integers(1, 6)),
    st.builds(lambda n: {"steps": n}, st.integers(1, 150)),
    st.builds(lambda n: {"epochs": n}, st.sampled_from([0.1, 0.3, 1, 2.5, 7])),
    st.builds(lambda n: {"share": n}, st.sampled_from([0.05, 0.1, 0.25, 0.3, 0.5, 0.75, 1.0])),
)
STEPS_PER_EPOCH = 10
CLOCK = Clock(0, 1000, STEPS_PER_EPOCH)


@given(PROBES, LASTING)
def test_duration_equals_its_twin(probes: list[tuple[int, bool, bool]], lasting: dict[str, float]):
    """In every unit, at uneven steps, with probes missing: the same step as the slow way finds."""
    steps = np.cumsum([gap for gap, _, _ in probes]).tolist()
    sick, there = [one for _, one, _ in probes], [one for _, _, one in probes]
    rows = [[9.0 if one else 1.0 for one in sick], [1.0] * len(probes)]
    judged = condition(**{"for": lasting}, error={"above": 5})
    first, second = judge(judged, panel(rows, steps=steps, measured=[there, there]), clock=CLOCK)
    assert first.step == plain_since(sick, steps, there, lasting)
    assert (first.severity is None) == (first.step is None)
    assert second.severity is None


def test_share_counts_steps_and_not_probes():
    """Twenty probes in the first twenty steps of two thousand are one percent of the run, not two thirds."""
    steps = [*range(20), *range(20, 2020, 200)]
    early = [9.0] * 20 + [1.0] * 10
    late = [1.0] * 24 + [9.0] * 6
    found = judge(condition(**{"for": {"share": 0.3}}, error={"above": 5}), panel([early, late], steps=steps))
    assert [(one.severity, one.step) for one in found] == [(None, None), ("error", 820)]


@pytest.mark.parametrize(
    ("steps", "sick", "share", "expected"),
    [
        (range(10), 3, 0.3, 7),
        (range(10), 3, 0.31, None),
        ([0, 10, 20, 30, 40, 140, 240], 3, 300 / 340, 40),
        ([0, 10, 20, 30, 40, 140, 240], 3, 301 / 340, None),
        ([0, 10, 20], 3, 1.0, 0),
    ],
)
def test_share_is_reached_exactly(steps: list[int], sick: int, share: float, expected: int | None):
    """Each probe stands for the steps until the next, the last for as many as the one before; `share` is enough."""
    row = [1.0] * (len(steps) - sick) + [9.0] * sick
    (found,) = judge(condition(**{"for": {"share": share}}, error={"above": 5}), panel([row], steps=steps))
    assert found.step == expected


def test_share_needs_three_probes_in_a_row():
    """One probe that stands for half of the run is not enough, also where three others breached long before."""
    steps = [0, 1, 2, 3, 4, 5, 1000]
    rows = [[9, 9, 9, 1, 1, 9, 1], [1, 1, 1, 1, 9, 9, 9]]
    found = judge(condition(**{"for": {"share": 0.4}}, error={"above": 5}), panel(rows, steps=steps))
    assert [(one.severity, one.step) for one in found] == [(None, None), ("error", 4)]


def test_sites_probed_at_different_steps_are_judged_by_their_own_probes():
    """Where another site was probed and this one was not, its series is not interrupted."""
    known = [[True, False] * 5, [False, True] * 5]
    found = judge(condition(**{"for": 4}, error={"above": 5}), panel([[9.0] * 10, [9.0] * 10], measured=known))
    assert [(one.severity, one.step, one.judged) for one in found] == [("error", 0, 5), ("error", 1, 5)]


def test_guard_interrupts_and_limits():
    """A breach counts only where the guard holds, one line of it for all sites or one for each."""
    rows = [[9.0] * 6, [9.0] * 6]
    lasting = condition(**{"for": 2}, error={"above": 5})
    shared = judge(lasting, panel(rows), np.array([[True, False, False, True, True, False]]))
    assert [(one.step, one.judged) for one in shared] == [(3, 3), (3, 3)]
    own = judge(lasting, panel(rows), np.array([[True, False] * 3, [True] * 6]))
    assert [(one.step, one.judged) for one in own] == [(None, 3), (0, 6)]


def test_look_sees_only_what_is_guarded():
    """What lies outside of the guard does not enter the mean either."""
    guard = np.array([[True, True, False, False]])
    assert judge(condition(error={"look": "mean", "above": 5}), panel([[1, 1, 99, 99]]), guard)[0].value == 1.0


@pytest.mark.parametrize(
    ("value", "expected"), [(1.0, None), (11.0, "info"), (21.0, "warning"), (31.0, "error"), (41.0, "critical")]
)
def test_highest_rung_wins(value: float, expected: str | None):
    """Of all rungs that a value breaches, the gravest is reported, whatever their order in the file."""
    rungs = {name: {"above": 10 * (place + 1)} for place, name in enumerate(SEVERITIES)}
    backwards = dict(reversed(rungs.items()))
    for keys in (rungs, backwards):
        assert judge(condition(**keys), panel([[value] * 3]))[0].severity == expected


def test_step_is_that_of_the_highest_rung():
    """A warning that became an error is an error since it is one."""
    found = judge(condition(warning={"above": 1}, error={"above": 10}), panel([[5, 5, 50, 50]], steps=[0, 10, 20, 30]))
    assert (found[0].severity, found[0].step, found[0].value) == ("error", 20, 50.0)


def test_panel_without_steps_breaches_nothing():
    """A site that was never probed has an outcome, and it says that nothing was judged."""
    for lasting in (2, {"share": 0.5}):
        (found,) = judge(condition(**{"for": lasting}, error={"above": 1}), panel([[]]))
        assert (found.severity, found.judged, found.finite) == (None, 0, False)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"above": 1, "below": 0}, "needs exactly one of above, below, outside, inside, equals, one_of, like, "
         "nonfinite, all, any, not; received above, below"),
        ({}, "needs exactly one of above, below, outside, inside, equals, one_of, like, nonfinite, all, any, not; "
         "received none"),
        ({"look": "last"}, "received none"),
        ({"above": None}, "above needs a value, received null"),
        ({"outside": [2, 2]}, "[2, 2] is empty: low must be less than high"),
        ({"inside": [3, -1]}, "[3, -1] is empty: low must be less than high"),
        ({"above": 1, "look": "lst"}, "look 'lst' is unknown; legal: each, first, last, mean, median, minimum, "
         "maximum, change, trend, late_change, late_trend, uncertainty, swing, rebound, rebound_trend; "
         "did you mean 'last'?"),
        ({"above": NAN}, "finite number"),
        ({"above": INF}, "finite number"),
        ({"outside": [0, INF]}, "finite number"),
        ({"above": "much"}, "valid number"),
        ({"all": []}, "at least 1 item"),
        ({"any": [{}]}, "received none"),
        ({"not": {"above": 1, "below": 3}}, "received above, below"),
        ({"nonfinite": False}, "Input should be True"),
        ({"nonfinite": True, "look": "mean"}, "nonfinite is a test of each value: every other look sees finite values "
         "only"),
        ({"like": []}, "at least 1 item"),
        ({"like": [""]}, "at least 1 character"),
        ({"like": "*" * 201}, "at most 200 characters"),
        ({"above": 1, "window": {"probes": 3}}, "a window needs a look that makes one number of it; legal: first, "
         "last, mean, median, minimum, maximum, change, trend"),
        ({"above": 1, "look": "mean", "window": {}}, "needs exactly one of probes, steps, epochs; received none"),
        ({"above": 1, "look": "mean", "window": {"probes": 1, "steps": 2}}, "needs exactly one of probes, steps, "
         "epochs; received probes, steps"),
        ({"above": 1, "look": "mean", "window": {"share": 0.3}}, "Extra inputs are not permitted"),
        ({"above": 1, "look": "mean", "window": {"probes": 0}}, "greater than 0"),
        ({"all": [{"above": 1}], "look": "mean"}, "look and window belong into the tests that 'all' combines"),
        ({"not": {"above": 1}, "look": "last"}, "look and window belong into the tests that 'not' combines"),
        ({"any": [{"above": 1}], "window": {"steps": 9}}, "look and window belong into the tests that 'any' combines"),
        ({"equal": 3}, "Extra inputs are not permitted"),
    ],
    ids=str,
)  # fmt: skip
def test_bound_refuses_what_cannot_be_meant(keys: dict[str, Any], expected: str):
    """Exactly one test, over an interval that holds something, and a way to look that exists."""
    with pytest.raises(ValidationError) as caught:
        bound(**keys)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, "needs a test for at least one of info, warning, error, critical"),
        ({"for": 0, "error": {"above": 1}}, "greater than or equal to 1"),
        ({"for": {"share": 0}, "error": {"above": 1}}, "greater than 0"),
        ({"for": {"share": 1.1}, "error": {"above": 1}}, "less than or equal to 1"),
        ({"for": {}, "error": {"above": 1}}, "needs exactly one of probes, steps, epochs, share; received none"),
        ({"for": {"steps": 9, "epochs": 1}, "error": {"above": 1}}, "received steps, epochs"),
        ({"for": {"probes": 0}, "error": {"above": 1}}, "greater than 0"),
        ({"for": {"epochs": 0}, "error": {"above": 1}}, "greater than 0"),
        ({"for": {"epochs": INF}, "error": {"above": 1}}, "finite number"),
        ({"missing": "not_measured"}, "needs a test for at least one of info, warning, error, critical"),
        ({"missing": "fatal", "error": {"above": 1}}, "Input should be 'not_measured', 'not_applicable', 'info'"),
        ({"nonfinite": True, "error": {"above": 1}}, "Input should be 'ignore', 'info'"),
        ({"clears": {"look": "mean", "below": 1}, "error": {"above": 1}}, "clears is a test of each value"),
        ({"clears": {"not": {"look": "mean", "below": 1}}, "error": {"above": 1}}, "clears is a test of each value"),
        (
            {"clears": {"below": 1}, "error": {"look": "mean", "above": 1}},
            "clears goes with tests of each value or of windows, not of the whole series",
        ),
        ({"fatal": {"above": 1}}, "Extra inputs are not permitted"),
    ],
    ids=str,
)
def test_condition_refuses_what_cannot_be_meant(keys: dict[str, Any], expected: str):
    """At least one rung, and a duration that can be reached."""
    with pytest.raises(ValidationError) as caught:
        condition(**keys)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ({"above": 3}, {"high": 3.0}),
        ({"below": 3}, {"low": 3.0}),
        ({"outside": [1, 2]}, {"low": 1.0, "high": 2.0}),
        ({"not": {"inside": [1, 2]}}, {"low": 1.0, "high": 2.0}),
        ({"all": [{"above": 1}, {"below": 2}]}, {"high": 1.0, "low": 2.0}),
        ({"any": [{"above": 1}, {"above": 2}]}, {"high": 1.0}),
        ({"equals": 3}, {}),
        ({"nonfinite": True}, {}),
    ],
    ids=str,
)
def test_limits_are_the_numbers_of_a_test(test: dict[str, Any], expected: dict[str, float]):
    """What messages call low and high, of nested tests the first that has them."""
    assert bound(**test).limits() == expected


def test_every_nested_test_is_listed():
    """The rule's author is not asked to say twice what a condition looks at."""
    nested = condition(warning={"not": {"above": 1}}, error={"all": [{"nonfinite": True}, {"any": [{"below": 3}]}]})
    assert sorted(test.test for test in nested.tests()) == ["above", "all", "any", "below", "nonfinite", "not_"]


def test_number_for_a_duration_is_a_number_of_probes():
    """`for: 3` and `for: {probes: 3}` are the same."""
    assert condition(**{"for": 3}, error={"above": 1}).lasting.probes == 3
    assert condition(error={"above": 1}).lasting.probes == 1


def test_one_probe_does_not_show_that_something_lasted():
    """Late probes stand for many steps: a single outlier there is no breach of many steps, two in a row are one."""
    steps = [0, 1, 2, 3, 400, 800, 1200]
    rows = [[1, 1, 1, 1, 9, 1, 1], [1, 1, 1, 1, 9, 9, 1], [9, 9, 9, 1, 1, 1, 1]]
    found = judge(condition(**{"for": {"steps": 50}}, error={"above": 5}), panel(rows, steps=steps))
    assert [one.step for one in found] == [None, 400, None]


def test_duration_in_epochs_wants_to_know_how_long_they_are():
    """Without it there is no answer, rather than a wrong one."""
    asked = condition(**{"for": {"epochs": 2}}, error={"above": 5})
    assert asked.in_epochs
    with pytest.raises(ValueError, match="how many steps an epoch has is not known"):
        judge(asked, panel([[9.0] * 3]))


def plain_lingering(values: list[float], high: float, low: float, judged: list[bool]) -> list[bool]:
    """Return where a breach stands, by walking over the values one by one."""
    stands, found = False, []
    for value, there in zip(values, judged, strict=True):
        if there and math.isfinite(value):
            stands = value > high or (stands and not value < low)
        found.append(stands and there)
    return found


@given(
    st.lists(
        st.tuples(st.one_of(st.integers(0, 9).map(float), st.just(NAN), st.just(INF)), st.booleans()), max_size=30
    ),
    st.integers(1, 4),
)
def test_hysteresis_equals_its_twin(values: list[tuple[float, bool]], length: int):
    """Set above 6, cleared below 3, through NaN and through values that do not count: as the slow way finds."""
    row, guard = [value for value, _ in values], [there for _, there in values]
    asked = condition(**{"for": length}, error={"above": 6}, clears={"below": 3})
    found = judge(asked, panel([row, [1.0] * len(row)]), np.array([guard, guard], bool).reshape(2, -1))
    mask = plain_lingering(row, 6, 3, guard)
    expected = plain_since(mask, list(range(len(row))), [True] * len(row), {"probes": length})
    assert [one.step for one in found] == [expected, None]


def test_hysteresis_holds_together_what_wavers_at_the_limit():
    """Without it a value that dips below the limit now and then is never sick for three probes in a row."""
    row = [1.0, 7.0, 5.5, 7.0, 5.5, 7.0, 1.0, 7.0]
    wavering = {"for": 4, "error": {"above": 6}}
    assert judge(condition(**wavering), panel([row]))[0].severity is None
    found = judge(condition(**wavering, clears={"below": 3}), panel([row]))[0]
    assert (found.severity, found.step, found.value) == ("error", 1, 7.0)


def test_what_breaches_and_clears_at_once_breaches():
    """A value that is sick is sick."""
    found = judge(condition(error={"above": 6}, clears={"below": 100}), panel([[1, 7, 1]]))[0]
    assert found.step == 1
    assert judge(condition(**{"for": 2}, error={"above": 6}, clears={"below": 100}), panel([[1, 7, 1]]))[0].step is None


def test_window_looks_at_so_much_behind_each_probe():
    """The mean of three probes is high from the second high one on; single outliers do not move a median."""
    row = [1, 1, 1, 1, 9, 1, 1, 9, 9, 9]
    mean = condition(error={"look": "mean", "window": {"probes": 3}, "above": 5})
    assert judge(mean, panel([row]))[0] == Outcome("error", 8, 19 / 3, 10, True)
    steps = [0, 1, 2, 3, 4, 104, 204, 304, 404, 504]
    median = condition(error={"look": "median", "window": {"steps": 300}, "above": 5})
    assert judge(median, panel([row], steps=steps))[0].step == 404
    epochs = condition(error={"look": "median", "window": {"epochs": 30}, "above": 5})
    assert judge(epochs, panel([row], steps=steps), clock=CLOCK)[0].step == 404


def test_window_that_was_never_full_breaches_nothing():
    """Two high values are not yet the mean of five, nor is a test of them turned round."""
    for test in (
        {"look": "mean", "window": {"probes": 5}, "above": 5},
        {"look": "mean", "window": {"steps": 9}, "above": 5},
    ):
        for asked in (test, {"not": {**test, "above": 99}}):
            found = judge(condition(error=asked), panel([[9.0] * 4]))[0]
            assert (found.severity, found.finite) == (None, True)
    mixed = {"not": {"all": [{"below": 0}, {"look": "mean", "window": {"probes": 5}, "below": 0}]}}
    assert judge(condition(error=mixed), panel([[9.0] * 4, [9.0] * 4]))[0].severity is None
    assert judge(condition(error=mixed), panel([[9.0] * 6]))[0].step == 4


def test_window_at_the_end_of_a_series_is_one_of_many():
    """A look that compares ends names the probe at which its window showed it, not the last one."""
    row = [1.0] * 20 + [9.0] * 40
    asked = condition(error={"look": "change", "window": {"probes": 20}, "above": 3})
    assert not asked.error.at_end
    assert judge(asked, panel([row]))[0].step == 22


@pytest.mark.parametrize(
    ("keys", "row", "expected"),
    [
        ({"nonfinite": "error"}, [1, 1, NAN, 1], ("error", 2, "nonfinite")),
        ({"nonfinite": "error"}, [1, 1, 1, INF], ("error", 3, "nonfinite")),
        ({"nonfinite": "error"}, [NAN, NAN], ("error", 0, "nonfinite")),
        ({"nonfinite": "error"}, [1, 1], (None, None, "test")),
        ({"nonfinite": "ignore"}, [1, NAN, 1], (None, None, "test")),
        ({"nonfinite": "warning", "error": {"above": 5}}, [NAN, 9], ("error", 1, "test")),
        ({"nonfinite": "error", "warning": {"above": 5}}, [9, NAN], ("error", 1, "nonfinite")),
        ({"nonfinite": "error", "error": {"above": 5}}, [1, 9, NAN], ("error", 1, "test")),
        ({"nonfinite": "error", "error": {"above": 5}}, [1, NAN, 9], ("error", 1, "nonfinite")),
        ({"nonfinite": "info", "for": 3}, [1, NAN, 1], ("info", 1, "nonfinite")),
    ],
    ids=str,
)
def test_what_nan_and_inf_mean_can_be_said(keys: dict[str, Any], row: list[float], expected: tuple[Any, ...]):
    """One of them is a breach since then, however long others must last; a graver rung or an earlier test is first."""
    found = judge(condition(**{"critical": {"above": 50}, **keys}), panel([row], steps=range(len(row))))[0]
    assert (found.severity, found.step, found.by) == expected


def test_nan_where_nobody_looks_means_nothing():
    """What was not measured, or does not count, is not judged."""
    asked = condition(nonfinite="error", error={"above": 5})
    found = judge(asked, panel([[1, NAN, NAN]], measured=[[True, False, True]]), np.array([[True, True, False]]))
    assert found[0].severity is None


@pytest.mark.parametrize("missing", ["not_measured", "not_applicable", *SEVERITIES])
def test_what_is_missing_is_what_the_condition_says(missing: str):
    """A rung makes it a breach without a value and without a step, a verdict does not."""
    found = judge_absence(condition(missing=missing, critical={"above": 1}))
    if missing not in SEVERITIES:
        assert found is None
    else:
        assert (found.severity, found.step, found.judged, found.finite, found.by) == (
            missing,
            None,
            0,
            False,
            "missing",
        )
        assert math.isnan(found.value)


def test_rungs_that_can_be_breached_are_those_of_tests_and_of_policies():
    """A condition may say nothing but what it means that something is missing."""
    assert condition(missing="error").severities == ("error",)
    assert condition(missing="error", nonfinite="info", warning={"above": 1}).severities == ("error", "warning", "info")
    assert judge(condition(missing="error"), panel([[1.0, NAN]]))[0].severity is None


@pytest.mark.parametrize(
    ("keys", "value", "expected"),
    [
        ({"error": {"above": 2}}, 3, ("error", 0, "test")),
        ({"error": {"above": 2}}, 1, (None, None, "test")),
        ({"error": {"above": 2}}, 10**400, (None, None, "test")),
        ({"error": {"above": 2}, "nonfinite": "warning"}, NAN, ("warning", 0, "nonfinite")),
        ({"error": {"above": 2}, "nonfinite": "ignore"}, INF, (None, None, "test")),
        ({"info": {"nonfinite": True}, "nonfinite": "critical"}, INF, ("critical", 0, "nonfinite")),
        ({"critical": {"nonfinite": True}, "nonfinite": "info"}, INF, ("critical", 0, "test")),
        ({"error": {"like": "adam*"}, "nonfinite": "warning"}, "adamw", ("error", 0, "test")),
    ],
    ids=str,
)
def test_attribute_is_judged_once(keys: dict[str, Any], value: Any, expected: tuple[Any, ...]):
    """One value, without a duration, and the same policies."""
    found = judge_attribute(condition(**keys), value)
    assert (found.severity, found.step, found.by) == expected


LONG = {"look": "mean", "window": {"probes": 4}, "above": 5}


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"error": {"above": 5}}, 1),
        ({"for": 3, "error": {"above": 5}}, 3),
        ({"for": {"share": 0.1}, "error": {"above": 5}}, 3),
        ({"for": {"steps": 5}, "error": {"above": 5}}, 5),
        ({"for": {"epochs": 0.6}, "error": {"above": 5}}, 6),
        ({"error": LONG}, 4),
        ({"for": 3, "error": LONG}, 6),
        ({"for": {"steps": 3}, "error": {"any": [{"above": 5}, LONG]}}, 3),
        ({"for": {"steps": 3}, "error": {"all": [{"above": 5}, {"not": {**LONG, "above": 99}}]}}, 6),
        ({"error": {"look": "mean", "above": 5}}, 1),
    ],
    ids=str,
)
def test_it_is_known_how_much_a_breach_takes(keys: dict[str, Any], expected: int):
    """With one probe less nothing could breach, with as many everything does that is sick from the start."""
    asked = condition(**keys)
    for length in range(1, 8):
        able = possible(asked, panel([[NAN] * length]), CLOCK)
        assert able.tolist() == [[length >= expected]]
        found = judge(asked, panel([[9.0] * length]), clock=CLOCK)[0]
        assert (found.severity == "error") is (length >= expected)


def test_it_is_known_which_rung_can_be_reached():
    """A short series may be long enough for one rung and not for another; the most severe is first."""
    asked = condition(error=LONG, info={"above": 5})
    assert possible(asked, panel([[1.0] * 3]), CLOCK).tolist() == [[False], [True]]


def test_site_that_is_not_ready_is_judged_by_nan_alone():
    """A run that died early has no trend, but its NaN is one."""
    asked = condition(nonfinite="error", critical={"above": 5})
    found = judge(asked, panel([[9, NAN], [9, 9], [9, NAN]]), ready=np.array([False, False, True]))
    assert [one.severity for one in found] == ["error", None, "critical"]


def plain_phase(name: str, step: int, first: int, end: int) -> bool:
    """Return whether a step is in a phase."""
    done = (step - first) / (end - first)
    return {"first": step == first, "warm_up": done < 0.1, "steady": done >= 0.1, "end": done >= 0.75}[name]


@pytest.mark.parametrize("name", PHASES)
@given(first=st.integers(0, 1000), length=st.integers(1, 400))
def test_phases_are_parts_of_the_fit(name: str, first: int, length: int):
    """Also of a fit that does not begin at step 0, and of one that is very short."""
    begin, end = phase(name, Clock(first, first + length))
    found = [begin <= step < end for step in range(first, first + length)]
    assert found == [plain_phase(name, step, first, first + length) for step in range(first, first + length)]


def test_epochs_of_any_length_are_steps():
    """Fractions are what they would be on paper."""
    assert Clock(epoch=10).steps(0.3) == 3.0
    assert Clock(epoch=2.5).steps(3) == 7.5


KEYS = [field.alias or name for one in (Bound, Condition, Lasting) for name, field in one.model_fields.items()]


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(KEYS),
                inner,
                max_size=3,
            ),
        ),
        max_leaves=8,
    )
)
def test_whatever_is_a_condition_judges(data: Any):
    """Anything is a condition or is refused; a condition judges any panel, and any attribute."""
    try:
        asked = Condition.model_validate({"error": {"above": 1}, **data} if isinstance(data, dict) else data)
    except ValidationError:
        return
    assert len(judge(asked, panel([[1, NAN, 3], [INF, 2, 2]]), clock=CLOCK)) == 2
    assert possible(asked, panel([[]]), CLOCK).shape == (len(asked.rungs()), 1)
    for value in (None, True, "a", 3, NAN, 10**400):
        assert judge_attribute(asked, value).severity in (None, *SEVERITIES)
