"""`tfhealth rules list` and `tfhealth rules explain ID`: the checklist and its rules -> text."""

from __future__ import annotations

import argparse

from tfhealth.cli import options
from tfhealth.cli.exits import Exit
from tfhealth.errors import UsageError, nearest

__all__ = ["add"]


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("rules", help="list and explain the rules", description="List and explain the rules.")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listed = actions.add_parser("list", help="every row of the checklist with its rules")
    options.add_rules(listed)
    listed.set_defaults(act=_list)
    explained = actions.add_parser("explain", help="one rule or one row: what it measures, its limits, why, advice")
    explained.add_argument("id", metavar="ID", help="the id of a rule (ACT002) or of a row (act.dead-relu)")
    options.add_rules(explained)
    explained.set_defaults(act=_explain)


def _list(arguments: argparse.Namespace) -> int:
    from rich.text import Text

    from tfhealth.console import Terminal
    from tfhealth.rules import load_checklist

    checklist = load_checklist(arguments.rules)
    console = Terminal(highlight=False, soft_wrap=True)
    for title, items in checklist.chapters:
        console.print(Text(title, "bold"))
        for item in items:
            console.print(Text(f"  {item.id:<28} {item.asks}"))
            for rule in checklist.rules_for(item.id):
                console.print(Text(f"    {rule.id:<9} {rule.title}", "cyan"))
    return Exit.PASSED


def _explain(arguments: argparse.Namespace) -> int:
    from rich.markdown import Markdown

    from tfhealth.console import Terminal
    from tfhealth.rules import load_checklist
    from tfhealth.rules.explain import explain_row, explain_rule

    checklist = load_checklist(arguments.rules)
    rule = checklist.rule(arguments.id)
    item = next((one for one in checklist.items if one.id == arguments.id), None)
    if rule is not None:
        text = explain_rule(rule, checklist)
    elif item is not None:
        text = explain_row(item, checklist)
    else:
        known = [rule.id for rule in checklist.rules] + [one.id for one in checklist.items]
        hint = nearest(arguments.id, known) or "; `tfhealth rules list` shows all"
        raise UsageError(f"{arguments.id!r} is neither a rule nor a row of the checklist{hint}")
    console = Terminal()
    console.print(Markdown(text) if console.is_terminal else text, markup=False, highlight=False, soft_wrap=True)
    return Exit.PASSED
