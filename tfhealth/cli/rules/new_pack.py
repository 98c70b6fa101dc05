"""`tfhealth rules new-pack NAME`: a project with a pack of rules to begin with."""

from __future__ import annotations

import argparse
from pathlib import Path

from tfhealth.cli.exits import Exit
from tfhealth.rules.scaffold import new_pack

__all__ = ["add"]


def add(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action to the parser."""
    parser = actions.add_parser(
        "new-pack",
        help="write a project with a pack of rules to begin with",
        description="Write the folder NAME: a project that builds a wheel with a pack of rules, its tests, its name "
        "and its logo.",
    )
    parser.add_argument("name", metavar="NAME", help="small letters, digits and single hyphens, e.g. acme-rules")
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="the folder to make NAME in")
    parser.set_defaults(act=_act)


def _act(arguments: argparse.Namespace) -> int:
    for path in new_pack(arguments.out, arguments.name):
        print(path)
    return Exit.PASSED
