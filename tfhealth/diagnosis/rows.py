"""(rows of the checklist, decisions) -> every row and every rule with its verdict and the grounds for it."""

from __future__ import annotations

from collections.abc import Sequence

from tfhealth.decide import Decision
from tfhealth.result import Row, RuleVerdict, Verdict
from tfhealth.rules.checklist import Item

__all__ = ["row_of", "rule_verdict"]

# Of several rules on one row the first of these wins: what was not measured is never a pass.
_WORST: tuple[Verdict, ...] = ("fail", "warn", "suppressed", "error", "not_measured", "pass", "not_applicable")

_ANSWERS: tuple[Verdict, ...] = ("fail", "warn", "suppressed", "pass")

_NEEDS_EXPERIMENT = "a fit does not show this: it takes an experiment, and no rule in force reads one"
_NEEDS_COMPARISON = "one run does not show this: `tfhealth compare RUN_BEFORE RUN` sets another beside it"
_NO_RULE = "no rule in force decides it"


def rule_verdict(decision: Decision) -> RuleVerdict:
    """Return what one rule decided."""
    rule = decision.rule
    reason = decision.reason
    if decision.severity == "info":
        reason = f"noted, not a fault: {rule.title} at {reason}"
    return RuleVerdict(
        rule=rule.id, title=rule.title, checklist=rule.checklist, verdict=_verdict(decision), reason=reason
    )


def row_of(item: Item, decisions: Sequence[Decision]) -> Row:
    """Decide one row of the checklist from the rules keyed to it; a question to the person where none applies."""
    if not decisions:
        verdict, reason = _unruled(item)
        return Row(id=item.id, asks=item.asks, verdict=verdict, reason=reason, rules=[])
    worst = min(_heard(decisions), key=lambda decision: _WORST.index(_verdict(decision)))
    if item.guide is not None and _verdict(worst) == "not_applicable":
        return Row(id=item.id, asks=item.asks, verdict="guide", reason=item.guide, rules=_ids(decisions))
    said = rule_verdict(worst).reason
    alone = worst.verdict in ("pass", "not_applicable") or _said_of_all(worst, decisions)
    reason = said if alone else f"{worst.rule.title}: {said}"
    return Row(
        id=item.id,
        asks=item.asks,
        verdict=_verdict(worst),
        reason=reason,
        rules=_ids(decisions),
    )


def _heard(decisions: Sequence[Decision]) -> Sequence[Decision]:
    """Leave out rules that need another way of looking, where one of those that this run took has an answer."""
    here = [one for one in decisions if not one.elsewhere]
    return here if any(_verdict(one) in _ANSWERS for one in here) else decisions


def _said_of_all(one: Decision, decisions: Sequence[Decision]) -> bool:
    """Whether every rule of a row was not measured, for one and the same reason."""
    return all((other.verdict, other.reason) == ("not_measured", one.reason) for other in decisions)


def _ids(decisions: Sequence[Decision]) -> list[str]:
    return [decision.rule.id for decision in decisions]


def _verdict(decision: Decision) -> Verdict:
    return next(name for name in _WORST if name == decision.verdict)


def _unruled(item: Item) -> tuple[Verdict, str]:
    if item.guide is not None:
        return "guide", item.guide
    if item.missing is not None:
        return "not_measured", item.missing
    if "fit" in item.how or "static" in item.how:
        return "not_measured", _NO_RULE
    return "not_measured", _NEEDS_EXPERIMENT if "preflight" in item.how else _NEEDS_COMPARISON
