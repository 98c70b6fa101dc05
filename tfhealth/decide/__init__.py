"""(Rule, Run) -> Decision: what one rule says of a run; pure, and vectorized over sites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tfhealth.conditions import Clock, judge, judge_absence, judge_attribute
from tfhealth.decide.decision import VERDICTS, Breach, Decision, quantified
from tfhealth.decide.judged import Judged, judged, missing
from tfhealth.decide.variants import Variants, can_reach, switched_off
from tfhealth.panels import Absent, Undecided
from tfhealth.plan import fits
from tfhealth.rules.checklist import Checklist, Override
from tfhealth.rules.model import Example, Rule, parse_values
from tfhealth.run import Run
from tfhealth.series import Panel, Site

__all__ = ["Breach", "Decision", "can_reach", "decide", "decide_all", "decide_example", "switched_off"]

_STEPS_PER_EPOCH = 10  # of an example


def decide_all(checklist: Checklist, run: Run) -> list[Decision]:
    """Judge a run by every rule; a rule that cannot be evaluated becomes `error`, never an exception."""
    return [decide(rule, run, checklist.overrides_of(rule.id)) for rule in checklist.rules]


def decide(rule: Rule, run: Run, overrides: Sequence[Override] = ()) -> Decision:
    """Judge a run by one rule.

    Args:
        rule: the rule.
        run: a recorded run.
        overrides: what differs at some layers; of several that match a site, the last counts.

    Returns:
        What it says; of a rule that cannot be evaluated `error`, no exception is raised for it.
    """
    try:
        _applicable(rule, run)
        return _decided(Variants.of(rule, run, overrides), run)
    except Undecided as undecided:
        return Decision(rule, undecided.verdict, undecided.reason, elsewhere=undecided.elsewhere)
    except Exception as error:
        return Decision(rule, "error", f"the rule could not be evaluated: {type(error).__name__}: {error}")


def decide_example(rule: Rule, example: Example) -> Decision:
    """Judge one of a rule's own examples: its condition alone, the rest of the rule taken as given."""
    site = Site(rule.measure.kinds[0], "example")
    if example.missing:
        outcome = judge_absence(rule.condition)
        assert outcome is not None  # the rule was refused otherwise
    elif example.values is None:
        outcome = judge_attribute(rule.condition, example.value)
    else:
        values = np.array([parse_values(example.values)])
        panel = Panel((site,), np.arange(values.shape[1]), values, np.ones(values.shape, bool))
        outcome = judge(rule.condition, panel, clock=Clock(0, values.shape[1], _STEPS_PER_EPOCH))[0]
    return Decision(rule, VERDICTS[outcome.severity], "", ((site, outcome, example.value),), 1)


def _applicable(rule: Rule, run: Run) -> None:
    for name, constraint in rule.when.items():
        value = run.fact(name)
        if not fits({name: constraint}, {name: value}):
            if value is None:
                raise Undecided("not_measured", f"{name} is not known", elsewhere=not run.trained)
            raise Undecided("not_applicable", f"{name} is {value}")


def _decided(variants: Variants, run: Run) -> Decision:
    rule = variants.rule
    absent = missing(variants, run)
    try:
        seen = judged(variants, run)
    except Undecided as undecided:
        if not absent:
            if isinstance(undecided, Absent) and rule.condition.missing == "not_applicable":
                raise Undecided("not_applicable", undecided.reason) from None
            raise
        seen = Judged([], "", variants)
    entries = [*seen.entries, *absent]
    overridden = {site: one for site, *_ in entries if (one := seen.variants.overridden.get(site)) is not None}
    return replace(quantified(rule, entries, seen.passed), overridden=overridden)
