"""A rule or a row -> Markdown: what it measures, its limits, why it matters, what to change."""

from __future__ import annotations

from tfhealth.conditions import Bound, Condition
from tfhealth.rules.checklist import Checklist, Item
from tfhealth.rules.model import Constraint, Measure, Quantify, Rule

__all__ = ["explain_row", "explain_rule"]


def explain_rule(rule: Rule, checklist: Checklist) -> str:
    """Return the page of one rule."""
    item = next(item for item in checklist.items if item.id == rule.checklist)
    parts = [
        f"# {rule.id} {rule.title}",
        f"Checklist row `{rule.checklist}`: {item.asks}",
        "## What is measured",
        _measure(rule.measure) + _circumstances(rule),
        "## Limits",
        *_limits(rule.condition, rule.quantify),
        "## Why it matters",
        rule.why,
        "## What to change",
        _unbraced(rule.advice),
        "## Examples",
        _examples(rule),
    ]
    if rule.explained_by:
        rows = ", ".join(f"`{row}`" for row in rule.explained_by)
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
        text += " where " + ", ".join(f"`{name}` {_constraint(one)}" for name, one in measure.where.items())
    if measure.across:
        text += f"; over the sites: {measure.across.replace('_', ' ')}"
    if measure.relative_to:
        text += f"; divided by its own {measure.relative_to}"
    return text


def _circumstances(rule: Rule) -> str:
    texts = []
    if rule.when:
        texts.append("only when " + ", ".join(f"`{name}` {_constraint(one)}" for name, one in rule.when.items()))
    if rule.while_:
        holding = bound_in_words(rule.while_.holds)
        guard = _measure(rule.while_.measure).replace(";", ",")
        texts.append(f"counted while {guard}, is {holding}" if "," in guard else f"counted while {guard} is {holding}")
    if rule.active.after_step:
        texts.append(f"from step {rule.active.after_step} on")
    if rule.active.until_step:
        texts.append(f"before step {rule.active.until_step}")
    if rule.active.probes > 1:
        texts.append(f"needs {rule.active.probes} probes")
    return "".join(f"; {text}" for text in texts) + "."


def _constraint(constraint: Constraint) -> str:
    if isinstance(constraint, Bound):
        return f"is {bound_in_words(constraint)}"
    if isinstance(constraint, list):
        return "is one of " + ", ".join(map(_word, constraint))
    return f"is {_word(constraint)}"


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool | None) else str(value)


def _limits(condition: Condition, quantify: str | Quantify) -> list[str]:
    lasting = f", {condition.for_} probes in a row" if isinstance(condition.for_, int) else ""
    if not isinstance(condition.for_, int):
        lasting = f", without a break for {condition.for_.share:.0%} of the run or more"
    elif condition.for_ == 1:
        lasting = ""
    lines = [f"- **{name}**: {bound_in_words(bound)}{lasting}" for name, bound in condition.rungs()]
    if isinstance(quantify, Quantify):
        amount = f"{quantify.count}" if quantify.count else f"{quantify.share:.0%}"
        lines.append(f"- at {amount} of the sites or more")
    elif quantify == "all":
        lines.append("- at every site")
    return ["\n".join(lines)]


def bound_in_words(bound: Bound) -> str:
    """Return a test as a phrase, e.g. `outside 0.5 to 2`."""
    how = "" if bound.look == "each" else f"{bound.look} "
    if bound.not_ is not None:
        return f"not {bound_in_words(bound.not_)}"
    for name, joint in (("all", " and "), ("any", " or ")):
        nested = getattr(bound, name)
        if nested is not None:
            return joint.join(bound_in_words(one) for one in nested)
    interval = bound.outside or bound.inside
    if interval is not None:
        return f"{how}{bound.test} {interval[0]:g} to {interval[1]:g}"
    if bound.one_of is not None:
        return "one of " + ", ".join(map(_word, bound.one_of))
    if bound.nonfinite:
        return "NaN or Inf"
    value = {"above": bound.above, "below": bound.below, "equals": bound.equals}[bound.test]
    return f"{how}{bound.test} {value:g}" if isinstance(value, float) else f"{how}{bound.test} {_word(value)}"


def _examples(rule: Rule) -> str:
    lines = []
    for example in rule.examples:
        shown = example.values if example.values is not None else _word(example.value)
        since = f", since step {example.step}" if example.step is not None else ""
        lines.append(f"- `{shown}` → {example.verdict}{since}")
    return "\n".join(lines)
