"""Arguments -> a command -> an exit code; every error of ours becomes one clear message and code 2."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from tfhealth import __version__
from tfhealth.cli import compare, evaluate, export, options, replay, report, rules, run
from tfhealth.cli.exits import Exit
from tfhealth.errors import Error
from tfhealth.report.github import inert

__all__ = ["COMMANDS", "build_parser", "main"]

_EPILOG = """exit codes:
  0  the gate passed, or there is none (--fail-on, or the profile's)
  1  the gate failed; `rules check`, `rules test` or `rules diff` has something to say
  2  wrong use: arguments, rules, profiles, baselines or paths that cannot be meant
  3  incomplete: the gate would pass, but a run is unfinished, damaged or could not be judged, or does not
     decide what the gate requires; `report` could not read or write everything; `replay` showed no NaN or Inf;
     `run --only-preflight` met no fit, or could not try anything
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line, one sub-command for each of `COMMANDS`."""
    parser = options.Parser(
        prog="tfhealth",
        description="The doctor for Keras training.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"tfhealth {__version__}")
    commands: Any = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in COMMANDS:
        add(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    parsed = build_parser().parse_args(arguments)
    try:
        code = int(parsed.act(parsed))
        sys.stdout.flush()
    except Error as error:
        print(inert(f"tfhealth: {error}"), file=sys.stderr)
        return Exit.USAGE
    except BrokenPipeError:  # `tfhealth rules list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains at its own end
        return Exit.PASSED
    return code


COMMANDS = (run.add, report.add, evaluate.add, compare.add, export.add, replay.add, rules.add)
"""What adds each command to the parser."""
