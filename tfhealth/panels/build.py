"""(Measure, Run) -> Panel: what a rule looks at in one run; or why that is not there."""

from __future__ import annotations

import functools
from collections.abc import Container, Iterable

import numpy as np

from tfhealth import derive
from tfhealth.conditions import Mask, number
from tfhealth.panels.absence import Absent, Undecided, raise_missing, why_missing
from tfhealth.panels.sites import NOWHERE
from tfhealth.plan import described, fits
from tfhealth.rules.model import Measure
from tfhealth.run import Run
from tfhealth.series import BETWEEN_STEPS, Floats, Ints, Panel, Site, joined

__all__ = ["about", "measured", "reduced", "rows_of"]


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
    return joined(chosen)


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
    if not measure.where:
        return panel.take([row for row, _ in there])
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
    rows = {name: rows_of(panel, lead.sites) for name, panel in panels.items()}
    rows[expression.names[0]] = list(range(len(lead)))
    shared = [index for index in range(len(lead)) if all(found[index] is not None for found in rows.values())]
    values: dict[str, Floats] = {}
    known = np.ones((len(shared), len(steps)), bool)
    for name, panel in panels.items():
        part = panel.take([rows[name][index] or 0 for index in shared])
        values[name], there = _before(part, steps) if between and name not in between else _at(part, steps)
        known &= there
    told = {name: np.array(value) for name, value in facts.items()}
    result = expression(values | told) if shared else np.empty(known.shape)
    return Panel(tuple(lead.sites[i] for i in shared), steps, np.broadcast_to(result, known.shape), known)


def _at(panel: Panel, steps: Ints) -> tuple[Floats, Mask]:
    """Return the values of a panel at `steps`, which are some of its own, and whether they were measured.

    Returns:
        float64[S, n], meaningless where not measured; bool[S, n].
    """
    if len(steps) == len(panel.steps):
        return panel.values, panel.measured
    columns = np.searchsorted(panel.steps, steps)
    return panel.values[:, columns], panel.measured[:, columns]


def _before(panel: Panel, steps: Ints) -> tuple[Floats, Mask]:
    """Return the values of a panel at the last probe of each site before each of `steps`; as `_at` does."""
    values, there = np.full((len(panel), len(steps)), np.nan), np.zeros((len(panel), len(steps)), bool)
    for row, measured in enumerate(panel.measured):
        probed = np.flatnonzero(measured)
        if len(probed):
            place = np.searchsorted(panel.steps[probed], steps) - 1
            values[row], there[row] = panel.values[row, probed[np.maximum(place, 0)]], place >= 0
    return values, there


def rows_of(panel: Panel, sites: Iterable[Site]) -> list[int | None]:
    """Return the row of a panel that goes with each site: that of the same name, or the only one of another kind."""
    named = {site.name: row for row, site in reversed([*enumerate(panel.sites)])}
    alone = panel.sites[0].kind if len(panel) == 1 else None
    return [named.get(site.name, None if alone in (None, site.kind) else 0) for site in sites]
