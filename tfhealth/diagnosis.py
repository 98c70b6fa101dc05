"""(Checklist, Run) -> Result: decisions put into words, the leading cause first, and every row of the checklist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from tfhealth import __version__
from tfhealth.conditions import SEVERITIES, Outcome
from tfhealth.decide import Decision, decide_all
from tfhealth.result import Breach, Finding, Result, Row, RuleVerdict, RunInfo, Verdict
from tfhealth.rules.checklist import Checklist, Item
from tfhealth.rules.message import render
from tfhealth.run import Run
from tfhealth.series import Attribute, Site

__all__ = ["evaluate"]

# Of several rules on one row the first of these wins: what was not measured is never a pass.
_WORST: tuple[Verdict, ...] = ("fail", "warn", "error", "not_measured", "pass", "not_applicable")

_NEEDS_EXPERIMENT = "a fit does not show this: it takes an experiment, which this version does not run yet"
_NEEDS_COMPARISON = "needs a second run to compare with, which this version does not do yet"
_NO_RULE = "this version has no rule for it yet"


def evaluate(checklist: Checklist, run: Run, limits_set_by: str = "built-in") -> Result:
    """Judge a run by a checklist.

    Args:
        checklist: rows and rules.
        run: a recorded run, complete or not.
        limits_set_by: who is responsible for the limits, shown with every finding.

    Returns:
        The verdict; a rule that cannot be evaluated is there as `error`, no exception is raised for it.
    """
    decisions = decide_all(checklist, run)
    info = _run_info(run)
    found = [_finding(decision, run, limits_set_by) for decision in decisions if decision.verdict in _COMPLAINTS]
    findings = _ordered(checklist, found, info.steps)
    rows = [_row(item, [d for d in decisions if d.rule.checklist == item.id]) for item in checklist.items]
    verdict = _overall(findings, rows)
    return Result(
        tfhealth=__version__,
        run=info,
        verdict=verdict,
        sentence=_sentence(verdict, findings, rows),
        findings=findings,
        checklist=rows,
        rules=[_rule_verdict(d) for d in decisions],
        notes=[{"subject": note.subject, "why": note.why} for note in run.notes],
    )


_COMPLAINTS = ("warn", "fail")
_SLACK_STEPS, _SLACK_SHARE = 50, 0.1


def _rule_verdict(decision: Decision) -> RuleVerdict:
    rule = decision.rule
    reason = decision.reason
    if decision.severity == "info":
        reason = f"noted, not a fault: {rule.title} at {reason}"
    return RuleVerdict(
        rule=rule.id, title=rule.title, checklist=rule.checklist, verdict=_verdict(decision), reason=reason
    )


def _verdict(decision: Decision) -> Verdict:
    return next(name for name in _WORST if name == decision.verdict)


def _row(item: Item, decisions: Sequence[Decision]) -> Row:
    """Decide one row of the checklist from the rules keyed to it."""
    if not decisions:
        verdict, reason = _unruled(item)
        return Row(id=item.id, asks=item.asks, verdict=verdict, reason=reason, rules=[])
    worst = min(decisions, key=lambda decision: _WORST.index(_verdict(decision)))
    said = _rule_verdict(worst).reason
    reason = said if worst.verdict in ("pass", "not_applicable") else f"{worst.rule.title}: {said}"
    return Row(
        id=item.id,
        asks=item.asks,
        verdict=_verdict(worst),
        reason=reason,
        rules=[decision.rule.id for decision in decisions],
    )


def _unruled(item: Item) -> tuple[Verdict, str]:
    if item.guide is not None:
        return "guide", item.guide
    if item.missing is not None:
        return "not_measured", item.missing
    if "fit" in item.how or "static" in item.how:
        return "not_measured", _NO_RULE
    return "not_measured", _NEEDS_EXPERIMENT if "preflight" in item.how else _NEEDS_COMPARISON


def _finding(decision: Decision, run: Run, limits_set_by: str) -> Finding:
    rule = decision.rule
    site, outcome, attribute = decision.breaches[0]
    assert outcome.severity is not None
    bound = dict(rule.condition.rungs())[outcome.severity]
    facts = _facts(decision, run, bound.limits())
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
        limits=bound.limits(),
        limits_set_by=limits_set_by,
        message=render(rule.message, facts),
        why=rule.why,
        advice=render(rule.advice, facts),
        references=rule.references,
        sites=[_breach(*one) for one in decision.breaches],
    )


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
    return {
        **run.sites.get(site, {}),
        **limits,
        "site": site.name,
        "kind": site.kind,
        "step": outcome.step,
        "value": attribute if attribute is not None else outcome.value,
        "severity": outcome.severity,
        "count": len(decision.breaches),
    }


def _ordered(checklist: Checklist, findings: Sequence[Finding], steps: int) -> list[Finding]:
    """Name for each finding those that explain it, and put causes before consequences, the gravest first."""
    rules = {rule.id: rule for rule in checklist.rules}
    # What began clearly later is no cause; a little later it may be, since some conditions take a while to show.
    slack = max(_SLACK_STEPS, _SLACK_SHARE * steps)
    linked = []
    for finding in findings:
        named = rules[finding.rule].explained_by
        causes = [
            other.rule
            for other in findings
            if (other.rule in named or (other.checklist in named and other.checklist != finding.checklist))
            and (other.step or 0) <= (finding.step or 0) + slack
        ]
        linked.append(finding.model_copy(update={"explained_by": causes}))
    place = {item.id: number for number, item in enumerate(checklist.items)}
    return sorted(
        linked,
        key=lambda f: (bool(f.explained_by), -SEVERITIES.index(f.severity), f.step or 0, place.get(f.checklist, 0)),
    )


def _overall(findings: Sequence[Finding], rows: Sequence[Row]) -> Literal["pass", "warn", "fail", "not_measured"]:
    if findings:
        return "fail" if any(finding.verdict == "fail" for finding in findings) else "warn"
    return "pass" if any(row.verdict == "pass" for row in rows) else "not_measured"


def _sentence(verdict: str, findings: Sequence[Finding], rows: Sequence[Row]) -> str:
    judged = sum(row.verdict in ("pass", "warn", "fail") for row in rows)
    if not findings:
        if verdict == "pass":
            return f"No fault found in the {judged} of {len(rows)} checklist rows that could be judged."
        return "Nothing could be judged: the run holds no probe that a rule could use."
    lead = findings[0]
    word = "Sick" if verdict == "fail" else "Worth a look"
    others = len(findings) - 1
    more = f" ({others} more finding{'s' if others != 1 else ''})" if others else ""
    return f"{word}: {lead.message.rstrip('.')}{more}."


def _run_info(run: Run) -> RunInfo:
    steps = run.steps
    last = int(steps[-1]) + 1 if len(steps) else 0
    ends = [int(series.steps[-1]) for series in run.logs.values() if len(series)]
    return RunInfo(
        path=str(run.path) if run.path else None,
        name=str(run.meta.get("name", "run")),
        status=str(run.meta.get("status", "unknown")),
        complete=run.complete,
        started=run.meta.get("started"),
        ended=run.meta.get("ended"),
        steps=max([last, *ends]),
        probed_steps=len(steps),
        damage=run.damage,
    )
