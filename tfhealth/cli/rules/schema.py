"""`tfhealth rules schema NAME`: the JSON Schema of one kind of file, for editors and other tools."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from tfhealth import result
from tfhealth.cli.exits import Exit
from tfhealth.rules.schema import pack_schema, profile_schema, rule_schema, text
from tfhealth.trials import tests_schema

__all__ = ["SCHEMAS", "add"]


def add(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action to the parser."""
    parser = actions.add_parser(
        "schema",
        help="print the JSON Schema of a rule file, or of another kind of file",
        description="Print the JSON Schema of one kind of file. It knows the statistics of installed packages.",
    )
    parser.add_argument(
        "name", nargs="?", choices=SCHEMAS, default="rule", metavar="NAME", help=f"{', '.join(SCHEMAS)} (default: rule)"
    )
    parser.set_defaults(act=_act)


def _act(arguments: argparse.Namespace) -> int:
    print(text(SCHEMAS[arguments.name]()), end="")
    return Exit.PASSED


SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {
    "rule": rule_schema,
    "profile": profile_schema,
    "pack": pack_schema,
    "tests": tests_schema,
    "result": result.schema,
}
"""Each kind of file that tfhealth reads or writes, with its schema; `tfhealth/schemas` holds them too."""
