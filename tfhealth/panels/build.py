"""(Measure, Run) -> Panel: what a rule looks at in one run; or why that is not there."""

from __future__ import annotations

import functools
from collections.abc import Container

import numpy as np

from tfhealth import derive
from tfhealth.conditions import Mask, number
from tfhealth.panels.absence import Absent, Undecided, raise_missing, why_missing
from tfhealth.panels.sites import NOWHERE
from tfhealth.plan import described, fits
from tfhealth.rules.model import Measure
from tfhealth.run import Run
from tfhealth.series import BETWEEN_STEPS, Floats, Ints, Panel, Site, stack

__all__ = ["about", "measured", "reduced", "row_of"]


def measured(measure: Measure, run: Run, off: Container[Site] = NOWHERE) -> Panel:
    """Return the panel that a measure yields on a run: statistics, arithmetic, across layers, reference.

    Args:
        measure: has a statistic or an expression.
        run: the run.
        off: sites to leave out.

    Raises:
        Undecided: no site is of the kind asked for, or too few are to be reduced.
        Absent: nothing was measured.
    """
    return reduced(measure, about(measure, run, off))


def about(measure: Measure, run: Run, off: Container[Site] = NOWHERE) -> Panel:
    """Return the sites that a measure is about, with what was measured there before it is reduced; see `measured`."""
    return _computed(measure, run, off) if measure.expr is not None else _plain(measure, run, off)


def reduced(measure: Measure, panel: Panel) -> Panel:
    """Return a panel as its measure wants it: reduced over its sites, divided by its own start; see `measured`."""
    if measure.across is not None:
        across = derive.across(panel, measure.across)
        if across is None:
            raise Undecided("not_applicable", f"too few layers ({len(panel)}) to compare over depth")
        panel = across
    if measure.relative_to is not None:
        panel = derive.relative(panel, measure.relative_to)
    return panel


def _plain(measure: Measure, run: Run, off: Container[Site]) -> Panel:
    """Return one statistic at sites of one kind or several, laid under each other."""
    found = [run.panel(*need) for need in measure.needs]
    panels = [panel for panel in found if len(panel)]
    if not panels:
        raise_missing(measure, run, *measure.needs[0])
    chosen = [_chosen(panel, measure, run, off) for panel in panels]
    if not any(len(panel) for panel in chosen):
        raise_missing(measure, run, *measure.needs[0])
    if len(chosen) == 1:
        return chosen[0]
    return stack([series for panel in chosen for series in panel.series()])


def _computed(measure: Measure, run: Run, off: Container[Site]) -> Panel:
    """Return arithmetic over statistics, at the sites of the first one it names."""
    expression = measure.expression
    panels = {name: run.panel(*name.split(".", 1)) for name in expression.names}
    first, *others = expression.names
    lead = _chosen(panels[first], measure, run, off)
    if not len(lead):
        raise_missing(measure, run, *first.split(".", 1))
    for name in others:
        if not len(panels[name]):
            raise Absent(why_missing(run, *name.split(".", 1)))
    panel = _aligned(expression, {**panels, first: lead}, _facts(expression, run))
    if not len(panel):
        raise Absent(f"{expression.text}: its parts were not measured at the same sites")
    return panel


def _chosen(panel: Panel, measure: Measure, run: Run, off: Container[Site]) -> Panel:
    there = [(row, site) for row, site in enumerate(panel.sites) if site not in off]
    return panel.take([row for row, site in there if fits(measure.where, described(site, run.sites.get(site, {})))])


def _facts(expression: derive.Expression, run: Run) -> dict[str, float]:
    """Return the facts that an expression names, by the names that it has for them.

    Raises:
        Absent: one is not known, or no number.
    """
    found = {name: run.fact(name) for name in expression.facts}
    for name, value in found.items():
        if not isinstance(value, bool | int | float):
            raise Absent(f"{name} is not known" if value is None else f"{name} is {value}, which is no number")
    return {f"fact.{name}": number(value) for name, value in found.items() if isinstance(value, bool | int | float)}


def _aligned(expression: derive.Expression, panels: dict[str, Panel], facts: dict[str, float]) -> Panel:
    """Apply arithmetic to panels: sites meet by name, a kind with one site goes with every other.

    Where something is measured between steps, as all of validation is, its steps count, and of what is measured at
    steps the last probe before them.
    """
    lead = panels[expression.names[0]]
    between = {name for name in panels if name.split(".")[0] in BETWEEN_STEPS}
    steps = functools.reduce(np.intersect1d, [panels[name].steps for name in between or panels])
    indices: list[int] = []
    parts: dict[str, list[tuple[Floats, Mask]]] = {name: [] for name in panels}
    for index, site in enumerate(lead.sites):
        rows = {name: index if name == expression.names[0] else row_of(panel, site) for name, panel in panels.items()}
        if any(row is None for row in rows.values()):
            continue
        indices.append(index)
        for name, panel in panels.items():
            before = bool(between) and name not in between
            parts[name].append(_at(panel.take([rows[name] or 0]), steps, before))
    shape = (len(indices), len(steps))
    values = {name: np.array([v for v, _ in found]).reshape(shape) for name, found in parts.items()}
    known = np.logical_and.reduce([np.array([m for _, m in found]).reshape(shape) for found in parts.values()])
    told = {name: np.array(value) for name, value in facts.items()}
    result = expression(values | told) if indices else np.empty(shape)
    return Panel(tuple(lead.sites[i] for i in indices), steps, np.broadcast_to(result, shape), known.astype(bool))


def _at(panel: Panel, steps: Ints, before: bool) -> tuple[Floats, Mask]:
    """Return the values of a panel of one site at `steps`, or at its last probe before each, and whether there is one.

    Returns:
        float64[n], meaningless where not measured; bool[n].
    """
    if not before:
        columns = np.searchsorted(panel.steps, steps)
        return panel.values[0, columns], panel.measured[0, columns]
    probed = np.flatnonzero(panel.measured[0])
    if not len(probed):
        return np.full(len(steps), np.nan), np.zeros(len(steps), bool)
    place = np.searchsorted(panel.steps[probed], steps) - 1
    return panel.values[0, probed[np.maximum(place, 0)]], place >= 0


def row_of(panel: Panel, site: Site) -> int | None:
    """Return the row of a panel that goes with a site: that of the same name, or the only one of another kind."""
    named = next((row for row, other in enumerate(panel.sites) if other.name == site.name), None)
    alone = len(panel) == 1 and panel.sites[0].kind != site.kind
    return 0 if named is None and alone else named
