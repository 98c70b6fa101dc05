"""Checklist -> the page of each rule, the page of the whole checklist, and its numbers for the README."""

import re

from tfhealth.diagnosis import evaluate
from tfhealth.resources import rules_dir
from tfhealth.rules import Checklist, Item, Rule
from tfhealth.rules.explain import explain_rule
from tfhealth.run import Run

__all__ = ["chapters", "counts", "index_page", "rule_page"]

_HOW = {
    "fit": "what a fit shows",
    "static": "the model and its settings",
    "preflight": "an experiment before training (this version has `overfit_tiny`)",
    "guide": "a question to you",
    "compare": "a second run (not in this version)",
}


def rule_page(rule: Rule, checklist: Checklist) -> str:
    """Return the page of one rule: what `tfhealth rules explain` prints, linked, with the message and the file."""
    text = _linked(explain_rule(rule, checklist), checklist, rule.id)
    (path,) = (path for path in rules_dir().rglob("*.yaml") if path.stem.startswith(f"{rule.id}-"))
    said = f"`{rule.message}`"
    names = "Names in braces, here and in the advice, are filled in for each finding."
    message = f"## What a finding says\n\n{said}\n\n{names}"
    head, mark, rest = text.partition("## Why it matters")
    file = f"rules/{path.relative_to(rules_dir()).as_posix()}"
    return f"{head}{message}\n\n{mark}{rest}\nThe rule is the file `{file}`.\n"


def index_page(checklist: Checklist) -> str:
    """Return the page of the whole checklist: every row, and what decides it."""
    without_run = {row.id: row.reason for row in evaluate(checklist, Run(None, {}, {})).checklist}
    parts = [
        "# Checklist and rules",
        f"{counts(checklist)}. A row is a question to your training; a rule is how a machine answers it. "
        "A row without a rule is in every report too, as a question to you (guide) or as not measured, with "
        "the reason.",
        "Sources: " + "; ".join(f"**{key}** {text}" for key, text in checklist.sources.items()) + ".",
    ]
    for title, items in checklist.chapters:
        parts.append(f"## {title}")
        for item in items:
            parts += [f"### {item.id}", item.asks, _decided(item, checklist, without_run[item.id])]
    return "\n\n".join(parts) + "\n"


def counts(checklist: Checklist) -> str:
    """Return how many rules and rows there are, as a phrase."""
    ruled = sum(bool(checklist.rules_for(item.id)) for item in checklist.items)
    return f"{len(checklist.rules)} rules decide {ruled} of the {len(checklist.items)} rows of the checklist"


def chapters(checklist: Checklist) -> str:
    """Return a table of the chapters: rows, rows with a rule, rules."""
    lines = ["", "| Chapter | Rows | Rows with a rule | Rules |", "|---|---|---|---|"]
    for title, items in checklist.chapters:
        rules = [checklist.rules_for(item.id) for item in items]
        lines.append(f"| {title} | {len(items)} | {sum(map(bool, rules))} | {sum(map(len, rules))} |")
    return "\n".join([*lines, ""])


def _decided(item: Item, checklist: Checklist, reason: str) -> str:
    how = f"Decided by {', '.join(_HOW[one] for one in item.how)}. Sources: {', '.join(item.sources)}."
    rules = checklist.rules_for(item.id)
    if rules:
        return "\n".join(f"- [{rule.id}]({rule.id}.md) {rule.title}" for rule in rules) + f"\n\n{how}"
    kind = "*Question to you.*" if item.guide else "*Not measured.*"
    said = reason[0].upper() + reason[1:].rstrip(".")
    return f"{kind} {said}{'' if said.endswith('?') else '.'}\n\n{how}"


def _linked(text: str, checklist: Checklist, own: str) -> str:
    """Link every rule and row that stands in backticks outside of code."""
    targets = {rule.id: f"{rule.id}.md" for rule in checklist.rules if rule.id != own}
    targets |= {item.id: f"index.md#{item.id.replace('.', '')}" for item in checklist.items}

    def link(found: re.Match[str]) -> str:
        name = found[1]
        return f"[`{name}`]({targets[name]})" if name in targets else found[0]

    parts = re.split(r"(```.*?```)", text, flags=re.DOTALL)
    return "".join(part if part.startswith("```") else re.sub(r"`([\w.-]+)`", link, part) for part in parts)
