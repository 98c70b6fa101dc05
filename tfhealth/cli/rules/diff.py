"""`tfhealth rules diff A B`: two checklists -> what the one has and says that the other does not."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from tfhealth.cli.exits import Exit
from tfhealth.cli.rules.targets import target
from tfhealth.rules import load_checklist
from tfhealth.rules.difference import Difference, difference

__all__ = ["add"]


def add(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action to the parser."""
    parser = actions.add_parser(
        "diff",
        help="what differs between two packs or profiles",
        description="Show what differs between A and B: rules of only one of them, and each key that they say "
        "differently. Returns 1 where something does.",
    )
    what = "a folder of rules, a pack, a profile file, or built-in"
    parser.add_argument("a", metavar="A", help=what)
    parser.add_argument("b", metavar="B", help=what)
    parser.add_argument("--json", action="store_true", help="print the differences as JSON")
    parser.set_defaults(act=_act)


def _act(arguments: argparse.Namespace) -> int:
    found = difference(load_checklist(**target(arguments.a)), load_checklist(**target(arguments.b)))
    if arguments.json:
        print(json.dumps(_data(found), indent=2, ensure_ascii=False))
    else:
        print("\n".join(_lines(found, arguments.a, arguments.b)))
    return Exit.FAILED if found else Exit.PASSED


def _data(found: Difference) -> dict[str, Any]:
    return {
        "removed": [rule.id for rule in found.removed],
        "added": [rule.id for rule in found.added],
        "changed": {name: [asdict(one) for one in changes] for name, changes in found.changed.items()},
        "settings": [asdict(one) for one in found.settings],
    }


def _lines(found: Difference, a: str, b: str) -> list[str]:
    lines = []
    for name, rules in ((a, found.removed), (b, found.added)):
        lines += [f"Only in {name}:", *(f"  {rule.id}  {rule.title}" for rule in rules)] if rules else []
    for name, changes in found.changed.items():
        lines += [f"{name}:", *(f"  {one}" for one in changes)]
    if found.settings:
        lines += ["Settings:", *(f"  {one}" for one in found.settings)]
    return lines or [f"{a} and {b} say the same."]
