"""Arguments -> a command -> an exit code; every error of ours becomes one clear message and code 2."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from tfhealth import __version__
from tfhealth.cli.exits import Exit
from tfhealth.cli.parser import Parser
from tfhealth.errors import Error
from tfhealth.report.inert import inert

__all__ = ["COMMANDS", "build_parser", "main"]

_EPILOG = """exit codes:
  0  the gate passed, or there is none (--fail-on, or the profile's)
  1  the gate failed; `rules check`, `rules test` or `rules diff` has something to say
  2  wrong use: arguments, rules, profiles, baselines or paths that cannot be meant
  3  incomplete: the gate would pass, but a run is unfinished, damaged or could not be judged, or does not
     decide what the gate requires; `report` could not read or write everything; `replay` showed no NaN or Inf;
     `run --only-preflight` met no fit, or could not try anything; `push` could not send every run
"""


def build_parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return the parser of the command line, one sub-command for each of `COMMANDS`.

    Where `words` begin with a command, only that one has its options: the others are not loaded.
    """
    parser = Parser(
        prog="tfhealth",
        description="The doctor for Keras training.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"tfhealth {__version__}")
    commands: Any = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    chosen = words[0] if words and words[0] in COMMANDS else None
    for name, does in COMMANDS.items():
        own = commands.add_parser(name, help=does)
        if chosen in (name, None):
            import_module(f"tfhealth.cli.{name}").add(own)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parsed = build_parser(words).parse_args(words)
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


COMMANDS = {
    "run": "run a training script and diagnose every fit in it",
    "report": "write the report on a recorded run again",
    "evaluate": "judge recorded runs again",
    "compare": "show what differs between two recorded runs",
    "export": "hand a recorded run and its report to TensorBoard, MLflow or W&B",
    "replay": "show op by op where NaN began",
    "serve": "show the runs in a folder, or keep the runs that are sent, as web pages",
    "push": "send recorded runs to a server",
    "rules": "list, explain, write, check, test and compare rules",
}
"""{command: what it does}; its options are in the module of its name beside this one."""
