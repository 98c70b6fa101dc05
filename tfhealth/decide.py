"""(Rule, Run) -> Decision: what one rule says of a run; pure, and vectorized over sites."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from tfhealth import derive
from tfhealth.conditions import Outcome, Severity, holds, judge
from tfhealth.plan import fits
from tfhealth.rules.checklist import Checklist
from tfhealth.rules.model import Example, Measure, Quantify, Rule, parse_values
from tfhealth.run import Run
from tfhealth.series import Attribute, Floats, Panel, Site, stack

__all__ = ["Decision", "decide", "decide_all", "decide_example", "measured"]


@dataclass(frozen=True)
class Decision:
    """What one rule decided on one run.

    Attributes:
        rule: the rule.
        verdict: pass, warn, fail, not_applicable, not_measured or error.
        reason: one sentence.
        breaches: (site, outcome, attribute's value) where the condition held, the worst first.
        judged: number of sites looked at.
    """

    rule: Rule
    verdict: str
    reason: str
    breaches: tuple[tuple[Site, Outcome, Attribute], ...] = ()
    judged: int = 0

    @property
    def severity(self) -> Severity | None:
        """The highest rung that was breached."""
        return self.breaches[0][1].severity if self.breaches else None


_RANK: dict[str | None, int] = {None: -1, "info": 0, "warning": 1, "error": 2, "critical": 3}
_VERDICT = {"info": "pass", "warning": "warn", "error": "fail", "critical": "fail"}


class _Undecided(Exception):  # noqa: N818 - no error, but the end of the work
    """Ends the work on a rule early, with a verdict that is neither pass nor fail."""

    def __init__(self, verdict: str, reason: str) -> None:
        self.verdict, self.reason = verdict, reason


def decide_all(checklist: Checklist, run: Run) -> list[Decision]:
    """Judge a run by every rule; a rule that cannot be evaluated becomes `error`, never an exception."""
    return [decide(rule, run) for rule in checklist.rules]


def decide(rule: Rule, run: Run) -> Decision:
    """Judge a run by one rule."""
    try:
        _applicable(rule, run)
        if rule.measure.attribute is not None:
            return _decide_attributes(rule, run)
        return _decide_series(rule, run)
    except _Undecided as undecided:
        return Decision(rule, undecided.verdict, undecided.reason)
    except Exception as error:
        return Decision(rule, "error", f"the rule could not be evaluated: {type(error).__name__}: {error}")


def decide_example(rule: Rule, example: Example) -> Decision:
    """Judge one of a rule's own examples: its condition alone, the rest of the rule taken as given."""
    site = Site(rule.measure.kinds[0], "example")
    if example.values is None:
        severity = next((name for name, bound in rule.condition.rungs() if holds(bound, example.value)), None)
        outcome = Outcome(severity, 0 if severity else None, np.nan, 1, True)
    else:
        values = np.array([parse_values(example.values)])
        panel = Panel((site,), np.arange(values.shape[1]), values, np.ones(values.shape, bool))
        outcome = judge(rule.condition, panel)[0]
    verdict = "pass" if outcome.severity is None else _VERDICT[outcome.severity]
    return Decision(rule, verdict, "", ((site, outcome, example.value),), 1)


def _applicable(rule: Rule, run: Run) -> None:
    for name, constraint in rule.when.items():
        value = run.fact(name)
        if not fits({name: constraint}, {name: value}):
            if value is None:
                raise _Undecided("not_measured", f"{name} is not known")
            raise _Undecided("not_applicable", f"{name} is {value}")


def _decide_attributes(rule: Rule, run: Run) -> Decision:
    measure = rule.measure
    assert measure.attribute is not None
    found = [(site, a) for site, a in run.sites.items() if site.kind in measure.kinds]
    if not found:
        raise _Undecided("not_measured", f"no {measure.kind} site was seen")
    about = [(site, a.get(measure.attribute)) for site, a in found if fits(measure.where, a)]
    if not about:
        raise _Undecided("not_applicable", f"no {measure.kind} of the kind that this rule is about")
    chosen = [(site, value) for site, value in about if value is not None]
    if not chosen:
        raise _Undecided("not_measured", f"the {measure.attribute} of {about[0][0]} is not known")
    breaches = []
    for site, value in chosen:
        severity = next((name for name, bound in rule.condition.rungs() if holds(bound, value)), None)
        number = float(value) if isinstance(value, bool | int | float) else np.nan
        breaches.append((site, Outcome(severity, 0 if severity else None, number, 1, True), value))
    return _quantified(rule, breaches, _listed(value for _, value in chosen))


def _decide_series(rule: Rule, run: Run) -> Decision:
    panel = _window(rule, measured(rule.measure, run))
    least = max(rule.active.probes, rule.condition.probes)
    most = int(panel.measured.sum(axis=1).max(initial=0))
    if most < least:
        raise _Undecided("not_measured", f"needs {least} probes, the run has {most}")
    panel = panel.take([row for row, count in enumerate(panel.measured.sum(axis=1)) if count >= least])
    guard = _guard(rule, run, panel)
    outcomes = judge(rule.condition, panel, guard)
    if guard is not None and not (panel.measured & guard).any():
        return Decision(rule, "pass", f"its condition never arose in {most} probes", (), len(panel))
    asks_nonfinite = any(test.nonfinite for test in rule.condition.tests())
    if not asks_nonfinite and not any(outcome.finite for outcome in outcomes):
        raise _Undecided("not_measured", "every measured value was NaN or Inf")
    breaches = [(site, outcome, None) for site, outcome in zip(panel.sites, outcomes, strict=True)]
    values = [outcome.value for outcome in outcomes if np.isfinite(outcome.value)]
    return _quantified(rule, breaches, _listed(values))


def measured(measure: Measure, run: Run) -> Panel:
    """Return the panel that a measure yields on a run: statistics, arithmetic, across layers, reference.

    Raises `_Undecided` where nothing was measured or no site is of the kind asked for.
    """
    panel = _computed(measure, run) if measure.expr is not None else _plain(measure, run)
    if measure.across is not None:
        reduced = derive.across(panel, measure.across)
        if reduced is None:
            raise _Undecided("not_applicable", f"too few layers ({len(panel)}) to compare over depth")
        panel = reduced
    if measure.relative_to is not None:
        panel = derive.relative(panel, measure.relative_to)
    return panel


def _plain(measure: Measure, run: Run) -> Panel:
    """Return one statistic at sites of one kind or several, laid under each other."""
    found = [run.panel(*need) for need in measure.needs]
    panels = [panel for panel in found if len(panel)]
    if not panels:
        _raise_missing(measure, run, *measure.needs[0])
    chosen = [_chosen(panel, measure, run) for panel in panels]
    if not any(len(panel) for panel in chosen):
        raise _Undecided("not_applicable", f"no {measure.kind} of the kind that this rule is about")
    if len(chosen) == 1:
        return chosen[0]
    return stack([series for panel in chosen for series in panel.series()])


def _computed(measure: Measure, run: Run) -> Panel:
    """Return arithmetic over statistics, at the sites of the first one it names."""
    expression = measure.expression
    panels = {name: run.panel(*name.split(".", 1)) for name in expression.names}
    for name, panel in panels.items():
        if not len(panel):
            _raise_missing(measure, run, *name.split(".", 1))
    lead = _chosen(panels[expression.names[0]], measure, run)
    if not len(lead):
        raise _Undecided("not_applicable", f"no {measure.kind} of the kind that this rule is about")
    panel = _aligned(expression, {**panels, expression.names[0]: lead})
    if not len(panel):
        raise _Undecided("not_measured", f"{expression.text}: its parts were not measured at the same sites")
    return panel


def _chosen(panel: Panel, measure: Measure, run: Run) -> Panel:
    return panel.take([row for row, site in enumerate(panel.sites) if fits(measure.where, run.sites.get(site, {}))])


def _aligned(expression: derive.Expression, panels: dict[str, Panel]) -> Panel:
    """Apply arithmetic to panels: sites meet by name, a kind with one site goes with every other."""
    lead = panels[expression.names[0]]
    steps = lead.steps
    for panel in panels.values():
        steps = np.intersect1d(steps, panel.steps)
    indices: list[int] = []
    parts: dict[str, list[tuple[Floats, NDArray[np.bool_]]]] = {name: [] for name in panels}
    for index, site in enumerate(lead.sites):
        rows = {name: index if name == expression.names[0] else _row(panel, site) for name, panel in panels.items()}
        if any(row is None for row in rows.values()):
            continue
        indices.append(index)
        for name, panel in panels.items():
            columns = np.searchsorted(panel.steps, steps)
            row = rows[name]
            parts[name].append((panel.values[row, columns], panel.measured[row, columns]))
    shape = (len(indices), len(steps))
    values = {name: np.array([v for v, _ in found]).reshape(shape) for name, found in parts.items()}
    known = np.logical_and.reduce([np.array([m for _, m in found]).reshape(shape) for found in parts.values()])
    result = expression(values) if indices else np.empty(shape)
    return Panel(tuple(lead.sites[i] for i in indices), steps, np.broadcast_to(result, shape), known.astype(bool))


def _row(panel: Panel, site: Site) -> int | None:
    if len(panel) == 1:
        return 0
    return next((row for row, other in enumerate(panel.sites) if other.name == site.name), None)


def _raise_missing(measure: Measure, run: Run, kind: str, statistic: str) -> NoReturn:
    """Raise `_Undecided` for a statistic without any series: not asked for here, or not to be had."""
    seen = [attributes for site, attributes in run.sites.items() if site.kind == kind]
    if seen and not any(fits(measure.where, attributes) for attributes in seen):
        raise _Undecided("not_applicable", f"no {kind} of the kind that this rule is about")
    raise _Undecided("not_measured", _why_missing(run, kind, statistic))


def _why_missing(run: Run, kind: str, statistic: str) -> str:
    for note in run.notes:
        if note.subject in (f"{kind}.{statistic}", kind, "probes"):
            return note.why
    for note in run.notes:
        if note.subject.startswith(f"{kind} "):
            return note.why
    if any(site.kind == kind for site in run.sites):
        return f"{kind} {statistic} was not probed in this run"
    return f"no {kind} was seen in this run"


def _window(rule: Rule, panel: Panel) -> Panel:
    keep = panel.steps >= rule.active.after_step
    if rule.active.until_step is not None:
        keep &= panel.steps < rule.active.until_step
    return panel.since(keep)


def _guard(rule: Rule, run: Run, panel: Panel) -> NDArray[np.bool_] | None:
    """Return bool[S or 1, n] on the panel's steps: where the rule's `while` holds."""
    if rule.while_ is None:
        return None
    other = measured(rule.while_.measure, run)
    if not len(other.steps):
        raise _Undecided("not_measured", "what its `while` looks at was never measured at one step")
    holding = np.array([[holds(rule.while_.holds, float(v)) for v in row] for row in other.values]) & other.measured
    place = np.clip(np.searchsorted(other.steps, panel.steps, side="right") - 1, 0, None)
    held = holding[:, place] & (other.steps[place] <= panel.steps)
    # A guard at the same sites counts for each by itself; one elsewhere (the loss) counts for all.
    rows = [_row(other, site) for site in panel.sites]
    if any(row is None for row in rows):
        return np.atleast_2d(held.any(axis=0))
    return held[[row for row in rows if row is not None]]


def _listed(values: object) -> str:
    shown = [f"{v:.3g}" if isinstance(v, float) else str(v) for v in dict.fromkeys(values)]  # type: ignore[call-overload]
    return ", ".join(shown[:4]) + (" …" if len(shown) > 4 else "")


def _enough(quantify: str | Quantify, count: int, total: int) -> bool:
    if isinstance(quantify, Quantify):
        return count >= (quantify.count or 0) and count >= (quantify.share or 0.0) * total
    return count == total if quantify == "all" else count > 0


def _quantified(rule: Rule, sites: Sequence[tuple[Site, Outcome, Attribute]], seen: str) -> Decision:
    """Make one decision of the outcomes at all sites."""
    total = len(sites)
    for severity, _ in rule.condition.rungs():
        reached = [one for one in sites if _RANK[one[1].severity] >= _RANK[severity]]
        if _enough(rule.quantify, len(reached), total):
            key: Callable[[tuple[Site, Outcome, Attribute]], tuple[int, int]] = lambda one: (  # noqa: E731
                -_RANK[one[1].severity],
                one[1].step or 0,
            )
            # Some sites may breach a higher rung that too few reach: the finding has the severity of its verdict.
            ordered = tuple((s, replace(o, severity=severity), a) for s, o, a in sorted(reached, key=key))
            reason = f"{len(reached)} of {total} {rule.measure.kind} sites"
            return Decision(rule, _VERDICT[severity], reason, ordered, total)
    where = f"at {total} {rule.measure.kind} site{'s' if total != 1 else ''}"
    return Decision(rule, "pass", f"{seen} {where}" if seen else where, (), total)
