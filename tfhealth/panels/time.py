"""(Run, Panel) -> the part of it that counts: phases and epochs of a run, a rule's `while`, and what it is given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfhealth.conditions import Clock, Mask, breached, phase
from tfhealth.panels.absence import Absent, Undecided
from tfhealth.panels.build import measured, rows_of
from tfhealth.rules.model import Active, Given, Measure, While
from tfhealth.run import Run
from tfhealth.series import BETWEEN_STEPS, Panel

__all__ = ["active", "clock_of", "guard", "unmet"]


def clock_of(run: Run) -> Clock:
    """Return when a fit began and ended, and how long its epochs are: as they were, else as they were planned."""
    steps = run.steps
    ends = np.unique(np.concatenate([np.empty(0, np.int64), *(series.steps for series in run.logs.values())]))
    told = run.fact("fit.initial_step")
    first = told if isinstance(told, int) else int(steps[0]) if len(steps) else 0
    last = max(int(steps[-1]) + 1 if len(steps) else first, int(ends[-1]) if len(ends) else first)
    lengths = np.diff(ends, prepend=first) if isinstance(told, int) else np.diff(ends)
    if (lengths > 0).any():
        return Clock(first, last, float(np.median(lengths[lengths > 0])))
    planned = run.fact("fit.steps_per_epoch")
    return Clock(first, last, float(planned) if isinstance(planned, int) and planned > 0 else None)


def active(part: Active, panel: Panel, clock: Clock) -> Panel:
    """Return the steps of a panel that count.

    Raises:
        ValueError: `part` is in epochs, and the clock does not know how long they are.
    """
    low, high = float(part.after_step), np.inf if part.until_step is None else float(part.until_step)
    keep = (panel.steps >= low) & (panel.steps < high)
    # What comes after the last step of an epoch belongs to that epoch, not to the one that begins there.
    steps = panel.steps - 1 if {site.kind for site in panel.sites} <= BETWEEN_STEPS else panel.steps
    if part.after_epoch:
        keep &= steps >= clock.first + clock.steps(part.after_epoch)
    if part.until_epoch is not None:
        keep &= steps < clock.first + clock.steps(part.until_epoch)
    if part.phase is not None:
        begin, end = phase(part.phase, clock)
        keep &= (steps >= begin) & (steps < end)
    return panel.since(keep)


def guard(part: While | None, run: Run, panel: Panel, clock: Clock) -> Mask | None:
    """Return bool[S or 1, n] on the panel's sites and steps: where a rule's `while` holds; None where it has none.

    Raises:
        Undecided: what it looks at is not there.
    """
    if part is None:
        return None
    other = _beside(part.measure, run)
    if not len(other.steps):
        raise Undecided("not_measured", "what its `while` looks at was never measured at one step")
    holding, _ = breached(part.holds, other.values, other.measured, other.steps, clock)
    place = np.clip(np.searchsorted(other.steps, panel.steps, side="right") - 1, 0, None)
    held = (holding & other.measured)[:, place] & (other.steps[place] <= panel.steps)
    # A guard at the same sites counts for each by itself; one elsewhere (the loss) counts for all.
    rows = rows_of(other, panel.sites)
    if any(row is None for row in rows):
        return np.atleast_2d(held.any(axis=0))
    return held[[row for row in rows if row is not None]]


def unmet(given: Sequence[Given], run: Run, clock: Clock) -> bool:
    """Return whether one of the circumstances that a rule asks for never arose in a run.

    Raises:
        Undecided: what one of them looks at is not there.
    """
    panels = [_given(one, run) for one in given]  # all of them, so that what is missing is always said
    holding = [panel is None or _holds(one, panel, clock) for one, panel in zip(given, panels, strict=True)]
    return not all(holding)


def _holds(one: Given, panel: Panel, clock: Clock) -> bool:
    held, _ = breached(one.holds, panel.values, panel.measured, panel.steps, clock)
    return bool((held & panel.measured).any())


def _given(one: Given, run: Run) -> Panel | None:
    """Return what a circumstance looks at; None where it is not there and counts as if it held."""
    try:
        return _beside(one.measure, run)
    except Undecided:
        if one.where_absent == "holds":
            return None
        raise


def _beside(measure: Measure, run: Run) -> Panel:
    """Return what is looked at beside a rule's own measure: what the rule says of missing values is not about that."""
    try:
        return measured(measure, run)
    except Absent as absent:
        raise Undecided(absent.verdict, absent.reason) from None
