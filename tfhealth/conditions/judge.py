"""(Condition, Panel) -> Outcomes: what a condition saw at each site, all sites at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tfhealth.conditions.bounds import Bound, breached, holds, is_nonfinite, number
from tfhealth.conditions.clock import Clock
from tfhealth.conditions.condition import SEVERITIES, Condition, Severity
from tfhealth.conditions.durations import Mask, since
from tfhealth.derive import look, rolling
from tfhealth.series import Attribute, Floats, Panel

__all__ = ["Outcome", "judge", "judge_absence", "judge_attribute", "possible"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a condition saw at one site.

    Attributes:
        severity: the rung that was breached; None: none.
        step: since when; None for what is not there.
        value: what was seen then; of a site without a breach, what its condition looks at.
        judged: number of probes that were looked at.
        finite: whether any of them could be compared.
        by: what was breached: a test, or the condition's word on what is missing or no number.
    """

    severity: Severity | None
    step: int | None
    value: float
    judged: int
    finite: bool
    by: Literal["test", "missing", "nonfinite"] = "test"


def judge(
    condition: Condition,
    panel: Panel,
    guard: Mask | None = None,
    clock: Clock = Clock(),  # noqa: B008 - frozen
    ready: Mask | None = None,
) -> list[Outcome]:
    """Judge every site of a panel at once.

    Args:
        condition: the tests.
        panel: values float64[S, n] on steps int64[n].
        guard: bool[S or 1, n]; a breach counts only where it is True.
        clock: what epochs are; needed for conditions in epochs.
        ready: bool[S]; sites where it is False are too short for the tests, and only NaN and Inf can count there.

    Returns:
        One outcome a site, in the panel's order.

    Raises:
        ValueError: the condition is in epochs, and the clock does not know how long they are.
    """
    judged = panel.measured if guard is None else panel.measured & guard
    finite = np.atleast_1d((judged & np.isfinite(panel.values)).any(axis=1))
    count = judged.sum(axis=1)
    found: list[list[Outcome]] = [[] for _ in panel.sites]
    for severity, bound in condition.rungs():
        reached, shown = breached(bound, panel.values, judged, panel.steps, clock)
        reached = _lingering(reached & judged, condition.clears, panel, judged, clock)
        reached &= True if ready is None else ready[:, None]
        start = since(reached, panel, condition.lasting, clock)
        for row in np.flatnonzero(start >= 0):
            column = int(start[row] if not bound.at_end else np.flatnonzero(judged[row])[-1])
            seen = float(shown[row, column])
            found[row].append(Outcome(severity, int(panel.steps[column]), seen, int(count[row]), True))
    for place, outcome in _nonfinite(condition, panel, judged):
        found[place].append(outcome)
    rest = _representative(condition, panel.values, judged)
    return [
        min(outcomes, key=_gravest, default=Outcome(None, None, float(rest[row]), int(count[row]), bool(finite[row])))
        for row, outcomes in enumerate(found)
    ]


def possible(condition: Condition, panel: Panel, clock: Clock) -> Mask:
    """Return for each rung, the most severe first, and each site, bool[R, S], whether enough was seen to breach it."""
    found = np.zeros((len(condition.rungs()), len(panel)), bool)
    plain = None  # what holds for every test without a window
    for rung, (_, bound) in enumerate(condition.rungs()):
        if _has_window(bound):
            worst = panel.measured & _full(bound, panel, clock)
            found[rung] = since(worst, panel, condition.lasting, clock) >= 0
            continue
        if plain is None:
            some = panel.take([0]) if panel.measured.size and panel.measured.all() else panel
            plain = since(some.measured, some, condition.lasting, clock) >= 0
        found[rung] = plain
    return found


def judge_attribute(condition: Condition, value: Attribute) -> Outcome:
    """Judge one attribute, which is so from the beginning."""
    size = number(value) if isinstance(value, bool | int | float) else np.nan
    severity = next((name for name, bound in condition.rungs() if holds(bound, value)), None)
    found = [Outcome(severity, 0, size, 1, True)] if severity else []
    if is_nonfinite(value) and condition.nonfinite != "ignore":
        found.append(Outcome(condition.nonfinite, 0, size, 1, False, "nonfinite"))
    return min(found, key=_gravest, default=Outcome(None, None, size, 1, True))


def judge_absence(condition: Condition) -> Outcome | None:
    """Return what it means that nothing is there to be judged; None where that is no breach."""
    if condition.missing == "not_measured" or condition.missing == "not_applicable":
        return None
    return Outcome(condition.missing, None, np.nan, 0, False, "missing")


def _gravest(outcome: Outcome) -> tuple[int, int]:
    assert outcome.severity is not None
    return -SEVERITIES.index(outcome.severity), outcome.step or 0


def _lingering(reached: Mask, clears: Bound | None, panel: Panel, judged: Mask, clock: Clock) -> Mask:
    """Keep a breach, bool[S, n], until `clears` holds: what was set or cleared last stands."""
    if clears is None or not reached.size:
        return reached
    cleared, _ = breached(clears, panel.values, judged, panel.steps, clock)
    columns = np.arange(reached.shape[1])
    last = np.maximum.accumulate(np.where(reached | (cleared & judged), columns, -1), axis=1)
    stands: Mask = np.take_along_axis(reached, np.maximum(last, 0), axis=1)
    return stands & (last >= 0) & judged


def _nonfinite(condition: Condition, panel: Panel, judged: Mask) -> list[tuple[int, Outcome]]:
    """Return (row, breach) for sites with a value that is no number, where the condition says what that means."""
    if condition.nonfinite == "ignore":
        return []
    wrong: Mask = judged & ~np.isfinite(panel.values)
    count, finite = judged.sum(axis=1), np.asarray((judged & ~wrong).any(axis=1))
    found = []
    for row in np.flatnonzero(wrong.any(axis=1)):
        column = int(np.argmax(wrong[row]))
        step, value = int(panel.steps[column]), float(panel.values[row, column])
        outcome = Outcome(condition.nonfinite, step, value, int(count[row]), bool(finite[row]), "nonfinite")
        found.append((int(row), outcome))
    return found


def _representative(condition: Condition, values: Floats, judged: Mask) -> Floats:
    """Return for each site the value that a passing row shows: what the most severe rung looks at."""
    how = next((test.look for test in reversed(condition.tests()) if test.look != "each"), "median")
    return look(values, judged, how)


def _has_window(bound: Bound) -> bool:
    return bound.window is not None or any(_has_window(one) for one in bound.nested)


def _full(bound: Bound, panel: Panel, clock: Clock) -> Mask:
    """Return where a test could be breached, bool[S, n]: where its window has as much behind it as it holds."""
    masks = [_full(one, panel, clock) for one in bound.nested]
    if masks:
        combine = np.logical_or if bound.any else np.logical_and
        return np.asarray(combine.reduce(masks), bool)
    if bound.window is None:
        return np.ones(panel.values.shape, bool)
    some, span = np.zeros(panel.values.shape), bound.window.span(clock)
    return np.isfinite(rolling(some, panel.measured, panel.steps, "first", bound.window.probes, span))
