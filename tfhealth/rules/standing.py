"""A rule in force -> Markdown: who set its limits, what its pack said, where it differs, what of it is accepted."""

from __future__ import annotations

from tfhealth.rules.checklist import Checklist, Origin, Override, Suppression
from tfhealth.rules.difference import Change, changes, shown
from tfhealth.rules.model import Rule

__all__ = ["standing"]


def standing(rule: Rule, checklist: Checklist) -> str:
    """Return a section to follow the rule's page; empty for a built-in rule that nobody changed or accepts."""
    origin = checklist.origin(rule.id)
    lines = [f"From the pack {origin.pack}; its limits are set by {origin.set_by}."] if origin != Origin() else []
    if origin.original is not None:
        lines += [f"Changed: {_in_words(one)}" for one in changes(origin.original, rule)]
    lines += [f"At `{one.match}` {one.set_by} says: {_differing(one, rule)}" for one in checklist.overrides_of(rule.id)]
    lines += [_accepted(one) for one in checklist.suppressions if rule.id.startswith(one.rule)]
    return "\n## Who set it\n\n" + "".join(f"- {one}\n" for one in lines) if lines else ""


def _in_words(change: Change) -> str:
    return f"{change.key} is {shown(change.new)}, was {shown(change.old)}"


def _differing(override: Override, rule: Rule) -> str:
    if override.rule is None:
        return "off"
    return "; ".join(map(_in_words, changes(rule, override.rule))) or "as elsewhere"


def _accepted(suppression: Suppression) -> str:
    where = "everywhere" if suppression.match == "**" else f"at `{suppression.match}`"
    until = f" until {suppression.expires}" if suppression.expires else ""
    return f"Accepted {where}{until} ({suppression.set_by}): {suppression.reason}"
