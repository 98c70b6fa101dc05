"""`tfhealth run SCRIPT`: a script that knows nothing of tfhealth -> diagnosed runs, and the script's own exit code."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tfhealth.cli import options
from tfhealth.cli.exits import Exit, gate, told_gate
from tfhealth.cli.github import tell_github
from tfhealth.errors import UsageError
from tfhealth.samples import FEW

if TYPE_CHECKING:
    from tfhealth.capture.ahead import Ahead

__all__ = ["add"]


def add(parser: argparse.ArgumentParser) -> None:
    """Give the command's parser its options."""
    parser.description = "Run SCRIPT as `python SCRIPT ARGS` would; every fit in it is watched, judged and reported."
    parser.add_argument("--out", type=Path, default=Path("tfhealth_runs"), metavar="DIR", help="where runs are kept")
    options.add_fail_on(parser)
    options.add_formats(parser, "json,html,pdf")
    options.add_rules(parser)
    parser.add_argument("--every", type=_every, default="auto", metavar="N", help='probe every N-th step, or "auto"')
    parser.add_argument("--overhead", type=float, default=0.02, metavar="SHARE", help="time that probing may cost")
    parser.add_argument("--exact", action="store_true", help="stay bit-identical under jit_compile too; costs more")
    parser.add_argument(
        "--catch-nonfinite",
        action="store_true",
        help="look for NaN and Inf in every step, stop at the first one, and keep its batch and the weights before it "
        "in the run directory, for `tfhealth replay`",
    )
    parser.add_argument(
        "--samples", type=int, default=FEW, metavar="N", help="samples of the data for the report; 0: none (default: 8)"
    )
    parser.add_argument("--stop", action="store_true", help="stop a training at its first critical finding")
    _add_preflight(parser)
    options.add_server(parser, "send what is recorded of every fit to this service as well, while it goes on")
    parser.add_argument("--quiet", action="store_true", help="print nothing of our own")
    parser.add_argument("script", type=Path, metavar="SCRIPT", help="a Python script")
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, metavar="ARGS", help="the script's own arguments, if any"
    )
    parser.set_defaults(act=_act)


def _add_preflight(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--preflight",
        nargs="?",
        const="quick",
        metavar="NAMES",
        help="before the first fit, run experiments on clones of its model, with its data: quick (default), full, or "
        "names with commas, after =",
    )
    parser.add_argument("--only-preflight", action="store_true", help="end the script where its first fit would begin")
    parser.add_argument(
        "--try-remedies", action="store_true", help="try as well what the findings of the preflight advise, on clones"
    )
    parser.add_argument(
        "--budget", type=float, metavar="SECONDS", help="time for all experiments together (default: 60)"
    )


def _every(text: str) -> int | str:
    if text == "auto":
        return text
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'"auto" or a whole number, received {text!r}') from None


def _ahead(arguments: argparse.Namespace) -> Ahead | None:
    """Return what is to be tried before the first fit; each of the options means that something is.

    Raises:
        UsageError: it cannot be meant.
    """
    from tfhealth.capture.ahead import Ahead

    given = arguments
    if not (given.preflight or given.only_preflight or given.try_remedies or given.budget is not None):
        return None
    return Ahead(given.preflight or "quick", 60.0 if given.budget is None else given.budget, given.try_remedies)


def _act(arguments: argparse.Namespace) -> int:
    if not arguments.script.is_file():
        raise UsageError(f"{arguments.script}: no such script.")
    from tfhealth.capture.script import run_script

    ahead = _ahead(arguments)
    # Now, since a relative path may mean something else by the time the script has ended.
    by = options.gate(arguments, options.checklist(arguments))
    settings = {
        "out": arguments.out,
        "formats": arguments.formats,
        "rules": arguments.rules,
        "profile": arguments.profile,
        "every": arguments.every,
        "overhead": arguments.overhead,
        "exact": arguments.exact,
        "samples": arguments.samples,
        "catch_nonfinite": arguments.catch_nonfinite,
        "on_fail": "stop" if arguments.stop else "report",
        "verbose": 0 if arguments.quiet else 1,
        "name": arguments.script.stem,
        "server": arguments.server,
        "token": arguments.token,
        "project": arguments.project,
    }
    code, results = run_script(arguments.script, arguments.arguments, settings, ahead, arguments.only_preflight)
    tell_github(results, None if arguments.quiet else sys.stdout)
    if code != 0:
        return code
    if arguments.only_preflight and not results:
        print(f"tfhealth: {arguments.script} met no fit before which anything could be tried.", file=sys.stderr)
        return Exit.INCOMPLETE
    if arguments.only_preflight and all(one.verdict == "not_measured" for one in results):
        print(f"tfhealth: {results[0].sentence}", file=sys.stderr)
        return Exit.INCOMPLETE
    if not results and not arguments.quiet:
        print(f"\ntfhealth: {arguments.script} trained nothing with fit; there is nothing to judge.")
    return gate(results, by) if arguments.quiet else told_gate(results, by)
