"""`tfhealth rules list`: the checklist in force -> every row with its rules."""

from __future__ import annotations

import argparse
import json
from typing import Any

from tfhealth.cli import options
from tfhealth.cli.exits import Exit
from tfhealth.rules import Checklist, Rule
from tfhealth.rules.checklist import BUILT_IN

__all__ = ["add"]


def add(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action to the parser."""
    parser = actions.add_parser(
        "list", help="every row of the checklist with its rules", description="List every row with the rules in force."
    )
    options.add_rules(parser)
    parser.add_argument("--json", action="store_true", help="print one list of chapters as JSON")
    parser.set_defaults(act=_act)


def _act(arguments: argparse.Namespace) -> int:
    checklist = options.checklist(arguments)
    if arguments.json:
        print(json.dumps(_data(checklist), indent=2, ensure_ascii=False))
    else:
        _print(checklist)
    return Exit.PASSED


def _print(checklist: Checklist) -> None:
    from rich.text import Text

    from tfhealth.console import Terminal

    console = Terminal(highlight=False, soft_wrap=True)
    for title, items in checklist.chapters:
        console.print(Text(title, "bold"))
        for item in items:
            console.print(Text(f"  {item.id:<28} {item.asks}"))
            for rule in checklist.rules_for(item.id):
                console.print(Text(f"    {rule.id:<9} {rule.title}{_owner(rule, checklist)}", "cyan"))


def _owner(rule: Rule, checklist: Checklist) -> str:
    """Return which pack a rule is from and who changed it, where that is not tfhealth, and whether it is deprecated."""
    origin = checklist.origin(rule.id)
    said = [origin.pack] if origin.pack != BUILT_IN else []
    said += [f"changed by {origin.set_by}"] if origin.set_by != origin.pack else []
    said += ["deprecated"] if rule.deprecated else []
    return f" ({', '.join(said)})" if said else ""


def _data(checklist: Checklist) -> list[dict[str, Any]]:
    return [
        {
            "chapter": title,
            "rows": [
                {
                    "id": item.id,
                    "asks": item.asks,
                    "rules": [_rule(rule, checklist) for rule in checklist.rules_for(item.id)],
                }
                for item in items
            ],
        }
        for title, items in checklist.chapters
    ]


def _rule(rule: Rule, checklist: Checklist) -> dict[str, Any]:
    origin = checklist.origin(rule.id)
    return {
        "id": rule.id,
        "title": rule.title,
        "severities": [name for name, _ in reversed(rule.condition.rungs())],
        "pack": origin.pack,
        "set_by": origin.set_by,
        "deprecated": rule.deprecated,
    }
