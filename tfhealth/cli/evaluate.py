"""`tfhealth evaluate RUN…`: recorded runs -> verdicts by other rules, and a gate."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tfhealth.cli import options
from tfhealth.cli.exits import gate

__all__ = ["add"]


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "evaluate",
        help="judge recorded runs again",
        description="Judge recorded runs again, by other rules or limits. Nothing is written into the runs.",
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="a run directory")
    options.add_rules(parser)
    options.add_fail_on(parser)
    parser.add_argument("--json", action="store_true", help="print the results as JSON, one list")
    parser.set_defaults(act=_act)


def _act(arguments: argparse.Namespace) -> int:
    from tfhealth.console import summary
    from tfhealth.diagnosis import evaluate
    from tfhealth.rules import load_checklist
    from tfhealth.run import load

    checklist = load_checklist(arguments.rules)
    by = "built-in" if arguments.rules is None else arguments.rules.name
    results = [evaluate(checklist, load(path), by) for path in arguments.runs]
    if arguments.json:
        print(json.dumps([result.model_dump(mode="json") for result in results], indent=2))
    else:
        for path, result in zip(arguments.runs, results, strict=True):
            print(f"\n{path}{summary(result, None)}")
    return gate(results, arguments.fail_on)
