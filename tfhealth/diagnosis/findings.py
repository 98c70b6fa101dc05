"""(decisions, Run, Checklist) -> findings: the messages filled in, causes before consequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from tfhealth.conditions import SEVERITIES, Outcome
from tfhealth.decide import Decision
from tfhealth.result import Breach, Finding
from tfhealth.rules.checklist import Checklist
from tfhealth.rules.message import render
from tfhealth.rules.model import Rule
from tfhealth.run import Run
from tfhealth.series import Attribute, Ints, Probe, Site

__all__ = ["finding_of", "ordered"]

_NAMED = 5
_SLACK_STEPS, _SLACK_SHARE = 50, 0.1


def finding_of(decision: Decision, run: Run, checklist: Checklist) -> Finding:
    """Put a decision that is a complaint into words."""
    site, outcome, attribute = decision.breaches[0]
    assert outcome.severity is not None
    rule = decision.variant_of(site)
    origin = checklist.origin(rule.id)
    limits = _limits(rule, outcome)
    facts = _facts(decision, run, limits)
    verdict: Literal["warn", "fail"] = "fail" if decision.verdict == "fail" else "warn"
    return Finding(
        rule=rule.id,
        title=rule.title,
        checklist=rule.checklist,
        verdict=verdict,
        severity=outcome.severity,
        site=site.name,
        kind=site.kind,
        step=outcome.step,
        value=_value(outcome, attribute),
        limits=limits,
        limits_set_by=decision.set_by(site) or origin.set_by,
        limits_before=_before(decision, origin.original),
        pack=origin.pack,
        message=render(rule.message, facts),
        why=rule.why,
        advice=render(rule.advice, facts),
        references=rule.references,
        sites=[_breach(*one) for one in decision.breaches],
    )


def _limits(rule: Rule, outcome: Outcome) -> dict[str, Attribute]:
    """Return the numbers of the rung that was breached; what is missing or no number breaches without any."""
    severity = outcome.severity
    rungs = [name for name, _ in rule.condition.rungs()]
    if outcome.by != "test" or severity is None or not rungs:
        return {}
    if severity not in rungs:  # a profile moved the complaint, which was the mildest one
        severity = ([name for name in rungs if name != "info"] or rungs)[-1]
    bound = rule.condition.bound(severity)
    return bound.limits() if bound is not None else {}


def _before(decision: Decision, original: Rule | None) -> dict[str, Attribute] | None:
    """Return the limits as the pack wrote them; None where no profile changed the rule for the leading site."""
    site, outcome, _ = decision.breaches[0]
    if original is None and decision.set_by(site) is None:
        return None
    return _limits(original or decision.rule, outcome)


def _breach(site: Site, outcome: Outcome, attribute: Attribute) -> Breach:
    assert outcome.severity is not None
    value = _value(outcome, attribute)
    return Breach(kind=site.kind, name=site.name, severity=outcome.severity, step=outcome.step, value=value)


def _value(outcome: Outcome, attribute: Attribute) -> float | str | bool | None:
    if attribute is not None:
        return attribute
    return outcome.value if np.isfinite(outcome.value) else None


def _facts(decision: Decision, run: Run, limits: dict[str, Attribute]) -> dict[str, Any]:
    site, outcome, attribute = decision.breaches[0]
    seen = None if outcome.by == "missing" else outcome.value
    rule = decision.variant_of(site)
    worst = [where for where, one, _ in decision.breaches if one.severity == outcome.severity]
    return {
        **run.sites.get(site, {}),
        **limits,
        "site": site.name,
        "kind": site.kind,
        "step": outcome.step,
        "value": attribute if attribute is not None else seen,
        "severity": outcome.severity,
        "count": len(worst),
        "places": ", ".join(f"{one.kind} {one.name}" for one in worst[:_NAMED]) + (" …" if len(worst) > _NAMED else ""),
        "interval": _interval(_probed(run, site, rule), outcome.step),
    }


def _probed(run: Run, site: Site, rule: Rule) -> Ints:
    """Return the steps at which a rule saw a site; those at which anything was seen, where it reads an expression."""
    series = None if rule.measure.statistic is None else run.series(Probe(site, rule.measure.statistic))
    return run.steps if series is None else series.steps


def _interval(probed: Ints, step: int | None) -> str | None:
    """Return between which steps something began; None where no step is known."""
    if step is None:
        return None
    before = probed[probed < step]
    return f"between step {before[-1]}, the last clean probe, and step {step}" if len(before) else f"at step {step}"


def ordered(checklist: Checklist, findings: Sequence[Finding], steps: int) -> list[Finding]:
    """Name for each finding those that explain it, and put causes before consequences, the gravest first."""
    rules = {rule.id: rule for rule in checklist.rules}
    # What began clearly later is no cause; a little later it may be, since some conditions take a while to show, and
    # what is judged at the end of a run may have been so from its beginning.
    slack = max(_SLACK_STEPS, _SLACK_SHARE * steps)
    linked = []
    for finding in findings:
        named = checklist.causes_of(rules[finding.rule])
        causes = [
            other.rule
            for other in findings
            if (other.rule in named or (other.checklist in named and other.checklist != finding.checklist))
            and (rules[other.rule].condition.at_end or (other.step or 0) <= (finding.step or 0) + slack)
        ]
        linked.append(finding.model_copy(update={"explained_by": causes}))
    place = {item.id: number for number, item in enumerate(checklist.items)}
    return sorted(
        linked,
        key=lambda f: (bool(f.explained_by), -SEVERITIES.index(f.severity), f.step or 0, place.get(f.checklist, 0)),
    )
