"""Rules as their files say them -> a tally of their own examples, and what these leave unshown."""

from __future__ import annotations

from string import Formatter

from tfhealth.decide import Decision, decide_example
from tfhealth.errors import Fault
from tfhealth.rules.model import Example, Rule
from tfhealth.rules.source import Source
from tfhealth.trials.tally import Tally

__all__ = ["check_examples", "try_examples"]


def try_examples(rule: Rule, source: Source) -> Tally:
    """Judge a rule's examples, each by verdict and, where it gives them, severity and step."""
    return Tally.of(_tried(rule, number, example, source) for number, example in enumerate(rule.examples))


def _tried(rule: Rule, number: int, example: Example, source: Source) -> Fault | None:
    found = decide_example(rule, example)
    outcome = found.breaches[0][1]
    pairs: list[tuple[str, str]] = [(example.verdict, found.verdict)]
    if example.severity is not None:
        pairs.append((f"severity {example.severity}", f"severity {outcome.severity or 'none'}"))
    if example.step is not None:
        pairs.append((f"from step {example.step}", f"from step {outcome.step}" if outcome.severity else "no step"))
    if all(expected == seen for expected, seen in pairs):
        return None
    expected, seen = (", ".join(one) for one in zip(*pairs, strict=True))
    return source.fault(("examples", number), f"expected {expected}; found {seen}")


def check_examples(rule: Rule, source: Source) -> list[Fault]:
    """Return rungs that no example reaches, and texts that name what is not known where an example breaches."""
    found = [decide_example(rule, example) for example in rule.examples]
    reached = {decision.severity for decision in found}
    untested = [name for name in reversed(rule.condition.severities) if name not in reached]
    return [
        *dict.fromkeys(fault for decision in found if decision.severity for fault in _unfilled(decision, source)),
        *(
            source.fault(("condition", name), f"no example reaches {name}, so its limit is untested", "warning")
            for name in untested
        ),
    ]


def _unfilled(decision: Decision, source: Source) -> list[Fault]:
    """Return a fault for each limit that a text names and that the breached rung has not."""
    rule, severity = decision.rule, decision.severity
    bound = next((bound for name, bound in rule.condition.rungs() if name == severity), None)
    absent = {"low", "high"} - (bound.limits().keys() if bound else set())
    what = f"a breach at {severity}, which an example shows, has no such limit; it would read `unknown`"
    return [
        source.fault((key,), f"{{{name}}} does not render: {what}")
        for key, template in (("message", rule.message), ("advice", rule.advice))
        for _, name, _, _ in Formatter().parse(template)
        if name in absent
    ]
