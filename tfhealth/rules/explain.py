"""A rule or a row -> Markdown: what it measures, its limits, why it matters, what to change."""

from __future__ import annotations

from collections.abc import Mapping

from tfhealth.conditions import Condition
from tfhealth.rules.checklist import Checklist, Item
from tfhealth.rules.model import Constraint, Measure, Quantify, Rule
from tfhealth.rules.wording import active_in_words, bound_in_words, breach_in_words, constraint_in_words, plain
from tfhealth.series import Attribute

__all__ = ["explain_row", "explain_rule"]


def explain_rule(rule: Rule, checklist: Checklist) -> str:
    """Return the page of one rule."""
    item = next(item for item in checklist.items if item.id == rule.checklist)
    parts = [
        f"# {rule.id} {rule.title}",
        *([f"Deprecated: {rule.deprecated}"] if rule.deprecated else []),
        f"Checklist row `{rule.checklist}`: {item.asks}",
        "## What is measured",
        _measure(rule.measure) + _circumstances(rule),
        "## Limits",
        _limits(rule.condition, rule.quantify),
        "## Why it matters",
        rule.why,
        "## What to change",
        _unbraced(rule.advice),
        "## Examples",
        _examples(rule),
    ]
    if causes := checklist.causes_of(rule):
        rows = ", ".join(f"`{row}`" for row in causes)
        parts += ["## What may cause it", f"Where one of these is found too, it is named as the cause: {rows}."]
    parts += ["## Sources", "\n".join(f"- {one}" for one in rule.references)]
    return "\n\n".join(parts) + "\n"


def explain_row(item: Item, checklist: Checklist) -> str:
    """Return the page of one row of the checklist."""
    sources = "; ".join(f"{one} ({checklist.sources[one[0]]})" for one in item.sources if one[0] in checklist.sources)
    parts = [f"# {item.id}", item.asks, f"Decided by: {', '.join(item.how)}. Sources: {sources}."]
    rules = checklist.rules_for(item.id)
    if rules:
        parts.append("\n".join(f"- **{rule.id}** {rule.title}" for rule in rules))
    parts += [text for text in (item.guide, item.missing) if text]
    return "\n\n".join(parts) + "\n"


def _unbraced(template: str) -> str:
    """Return a message template as a reader expects it: `{{` is how a literal brace is written there."""
    return template.replace("{{", "{").replace("}}", "}")


def _measure(measure: Measure) -> str:
    if measure.attribute is not None:
        text = f"the attribute `{measure.attribute}` of every {measure.kind}"
    elif measure.expr is not None:
        text = f"`{measure.expr}`"
    else:
        text = " or ".join(f"`{kind}.{measure.statistic}`" for kind in measure.kinds)
    if measure.where:
        text += f" where {_constraints(measure.where)}"
    if measure.across:
        text += f"; over the sites: {measure.across.replace('_', ' ')}"
    if measure.relative_to:
        text += f"; divided by its own {measure.relative_to}"
    return text


def _circumstances(rule: Rule) -> str:
    texts = []
    if rule.when:
        texts.append(f"only when {_constraints(rule.when)}")
    if rule.while_:
        holding = bound_in_words(rule.while_.holds)
        guard = _measure(rule.while_.measure).replace(";", ",")
        texts.append(f"counted while {guard}, is {holding}" if "," in guard else f"counted while {guard} is {holding}")
    for one in rule.given:
        texts.append(f"given that {_measure(one.measure).replace(';', ',')} has {bound_in_words(one.holds)}")
    texts += active_in_words(rule.active)
    if rule.active.probes > 1:
        texts.append(f"needs {rule.active.probes} probes")
    return "".join(f"; {text}" for text in texts) + "."


def _constraints(constraints: Mapping[str, Constraint]) -> str:
    return ", ".join(f"`{name}` {constraint_in_words(one, _shown)}" for name, one in constraints.items())


def _shown(value: Attribute) -> str:
    """Return a value as a rule file has it; as code where Markdown would read something into it."""
    text = plain(value)
    return f"`{text}`" if set(text) & set("*[<&") else text


def _limits(condition: Condition, quantify: str | Quantify) -> str:
    lines = [f"- **{name}**: {breach_in_words(condition, name, _shown)}" for name in condition.severities]
    if condition.missing == "not_applicable":
        lines.append("- not applicable where it is not there")
    if isinstance(quantify, Quantify):
        amount = f"{quantify.count}" if quantify.count else f"{quantify.share:.0%}"
        lines.append(f"- at {amount} of the sites or more")
    elif quantify == "all":
        lines.append("- at every site")
    return "\n".join(lines)


def _examples(rule: Rule) -> str:
    lines = []
    for example in rule.examples:
        shown = f"`{example.values if example.values is not None else plain(example.value)}`"
        since = f", since step {example.step}" if example.step is not None else ""
        lines.append(f"- {'nothing there' if example.missing else shown} → {example.verdict}{since}")
    return "\n".join(lines)
