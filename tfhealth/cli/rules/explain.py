"""`tfhealth rules explain ID`: a rule or a row -> its page, and who made it what it is."""

from __future__ import annotations

import argparse

from tfhealth.cli import options
from tfhealth.cli.exits import Exit
from tfhealth.errors import UsageError, nearest
from tfhealth.rules.explain import explain_row, explain_rule
from tfhealth.rules.standing import standing

__all__ = ["add"]


def add(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action to the parser."""
    parser = actions.add_parser(
        "explain",
        help="one rule or one row: what it measures, its limits, who set them, why, advice",
        description="Explain one rule or one row: what it measures, its limits and who set them, why it matters, "
        "what to change.",
    )
    parser.add_argument("id", metavar="ID", help="the id of a rule (ACT002) or of a row (act.dead-relu)")
    options.add_rules(parser)
    parser.set_defaults(act=_act)


def _act(arguments: argparse.Namespace) -> int:
    from rich.markdown import Markdown

    from tfhealth.console import Terminal

    checklist = options.checklist(arguments)
    rule = checklist.rule(arguments.id)
    item = next((one for one in checklist.items if one.id == arguments.id), None)
    if rule is not None:
        text = explain_rule(rule, checklist) + standing(rule, checklist)
    elif item is not None:
        text = explain_row(item, checklist)
    else:
        known = [rule.id for rule in checklist.rules] + [one.id for one in checklist.items]
        hint = nearest(arguments.id, known) or "; `tfhealth rules list` shows all"
        raise UsageError(f"{arguments.id!r} is neither a rule nor a row of the checklist{hint}")
    console = Terminal()
    console.print(Markdown(text) if console.is_terminal else text, markup=False, highlight=False, soft_wrap=True)
    return Exit.PASSED
