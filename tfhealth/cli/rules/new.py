"""`tfhealth rules new ID`: a commented rule file to begin with."""

from __future__ import annotations

import argparse
from pathlib import Path

from tfhealth.cli.exits import Exit
from tfhealth.rules.scaffold import ROW, TITLE, new_rule

__all__ = ["add"]


def add(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action to the parser."""
    parser = actions.add_parser(
        "new",
        help="write a commented rule file to begin with",
        description="Write ID-SLUG.yaml, a commented rule that is valid as it is, and beside it the schema with which "
        "editors complete and check it. Nothing that is there is overwritten.",
    )
    parser.add_argument("id", metavar="ID", help="three to five capital letters and three digits, e.g. ACME001")
    parser.add_argument("--row", default=ROW, metavar="ROW", help="the row of the checklist that it decides")
    parser.add_argument("--title", default=TITLE, metavar="TEXT", help="the fault, in a few words; it names the file")
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="the folder to write it into")
    parser.set_defaults(act=_act)


def _act(arguments: argparse.Namespace) -> int:
    for path in new_rule(arguments.out, arguments.id, arguments.row, arguments.title):
        print(path)
    return Exit.PASSED
