"""(Finding, Checklist) -> the limit that was breached, in words, who set it, and all limits that a profile moved."""

from __future__ import annotations

from dataclasses import dataclass

from tfhealth.conditions import Severity
from tfhealth.decide import decide
from tfhealth.report.document import Table
from tfhealth.report.words import breach, clean, count, limit, shorten, value
from tfhealth.result import Finding
from tfhealth.rules.checklist import BUILT_IN, Checklist, Override
from tfhealth.rules.model import Measure, Rule
from tfhealth.run import Run
from tfhealth.series import Site

__all__ = ["Form", "form_of", "in_force", "limits"]

_MOST_MOVED = 50


@dataclass(frozen=True)
class Form:
    """A rule as it judged one site.

    Attributes:
        rule: what was in force there; None: the checklist does not know the rule.
        override: what put it there; None: the rule is the same everywhere.
    """

    rule: Rule | None
    override: Override | None = None


def form_of(finding: Finding, checklist: Checklist, run: Run) -> Form:
    """Return the form of a rule that found something."""
    rule, overrides = checklist.rule(finding.rule), checklist.overrides_of(finding.rule)
    if rule is None or not overrides:
        return Form(rule)
    # Which override holds for a value that was made of many sites is not for a name to say.
    override = decide(rule, run, overrides).overridden.get(Site(finding.kind, finding.site))
    return Form(rule) if override is None else Form(override.rule, override)


def limits(finding: Finding, form: Form, checklist: Checklist) -> str:
    """Return the breached limit with its owner, e.g. `above 0.3 (limit set by acme; built-in: above 0.1)`."""
    rule, override = form.rule, form.override
    text = _told(finding) if rule is None else _worded(rule, finding.severity)
    owner = "built-in limit" if finding.limits_set_by == BUILT_IN else f"limit set by {_name(finding.limits_set_by)}"
    original = checklist.origin(finding.rule).original or (checklist.rule(finding.rule) if override else None)
    before = "the same" if original is None else _before(original, finding.severity, text)
    # A profile that changed a rule's words alone set no limit.
    if before == "the same" and finding.limits_set_by == finding.pack:
        return f"{text} ({owner})"
    return f"{text} ({owner}; {_name(finding.pack)}: {before})"


def in_force(checklist: Checklist) -> Table:
    """Return the limits that a profile put in the place of the packs' own; the title says it also where none is."""
    rows = []
    for rule in checklist.rules:
        origin, own = checklist.origin(rule.id), _rungs(checklist.origin(rule.id).original or rule)
        forms: list[tuple[str, Rule | None, str]] = [(rule.id, rule, origin.set_by)]
        forms += [(f"{rule.id} at {_name(one.match)}", one.rule, one.set_by) for one in checklist.overrides_of(rule.id)]
        for name, form, by in forms:
            now = "switched off" if form is None else _rungs(form)
            rows += [(name, now, own, _name(by))] if now != own else []
    amount = count(len(checklist.rules), "rule")
    kept = f"But for those below, the {amount} judge" if rows else f"All {amount} judge"
    title = f"{kept} by the limits that their packs set; `tfhealth rules explain RULE` prints those of one."
    left = len(rows) - _MOST_MOVED
    more = f"and {count(left, 'more limit')} in the profile" if left > 0 else ""
    return Table(title, ("Rule", "Objects to values", "As the pack has it", "Set by"), tuple(rows[:_MOST_MOVED]), more)


def _rungs(rule: Rule) -> str:
    return "; ".join(f"{rung}: {_worded(rule, rung)}" for rung in rule.condition.severities)


def _name(owner: str) -> str:
    return shorten(clean(owner), 80)


def _told(finding: Finding) -> str:
    """Return the numbers alone, for a finding whose rule is not in the checklist."""
    return ", ".join(f"{name} {value(one)}" for name, one in finding.limits.items()) or "its condition holds"


def _before(original: Rule, severity: Severity, now: str) -> str:
    """Return what the pack's own rule says at this severity; where it says nothing there, what it says elsewhere."""
    before = _worded(original, severity) if severity in original.condition.severities else ""
    if before:
        return "the same" if before == now else before
    return ", ".join(f"{_worded(original, rung)} at {rung}" for rung in original.condition.severities)


def _worded(rule: Rule, severity: Severity) -> str:
    text = breach(rule.condition, severity) or "its condition holds"
    if rule.while_ is not None:
        text += f" while {_named(rule.while_.measure)} is {limit(rule.while_.holds)}"
    for one in rule.given:
        text += f" given {_named(one.measure)} has {limit(one.holds)}"
    return text


def _named(measure: Measure) -> str:
    return measure.expr or f"{measure.kind} {measure.statistic}"
