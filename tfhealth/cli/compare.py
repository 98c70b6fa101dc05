"""`tfhealth compare A B`: two recorded runs, or a baseline and one -> what differs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tfhealth.cli import options
from tfhealth.cli.exits import Exit
from tfhealth.errors import UsageError

if TYPE_CHECKING:
    from tfhealth.comparison import Comparison

__all__ = ["add"]


def add(parser: argparse.ArgumentParser) -> None:
    """Give the command's parser its options."""
    from tfhealth.report.comparison.formats import FORMATS

    parser.description = (
        "Judge two runs by the same rules, and write compare.html, compare.pdf and compare.json: findings "
        "that are new and gone, settings, revisions and versions that differ, and the curves of both over each other."
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run directory A, and another one B")
    parser.add_argument(
        "--baseline", type=Path, metavar="FILE", help="take the accepted findings of this file in the place of run A"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help="where the files go (default: the directory of run B)"
    )
    options.add_formats(parser, "html,pdf,json", FORMATS)
    options.add_rules(parser)
    parser.set_defaults(act=_act)


def _act(arguments: argparse.Namespace) -> int:
    from tfhealth.console import compared
    from tfhealth.report.comparison import write_comparison

    comparison = _comparison(arguments)
    folder = arguments.output or comparison.after.run.path or arguments.runs[-1]
    written = write_comparison(comparison, folder, arguments.formats)
    print(compared(comparison, written))
    damaged = any(one.run.damage for one in (comparison.before, comparison.after) if one is not None)
    return Exit.INCOMPLETE if damaged or written.problems else Exit.PASSED


def _comparison(arguments: argparse.Namespace) -> Comparison:
    from dataclasses import replace

    from tfhealth import baseline
    from tfhealth.comparison import Judged, compare, compare_to_baseline
    from tfhealth.diagnosis import evaluate
    from tfhealth.loading import load

    wanted = 1 if arguments.baseline else 2
    if len(arguments.runs) != wanted:
        rest = " with --baseline" if arguments.baseline else ", or one and --baseline"
        raise UsageError(f"compare takes {wanted} run{'s' if wanted > 1 else ''}{rest}; {len(arguments.runs)} given.")
    # What a baseline accepts is still there: it is compared, not left out.
    checklist = replace(options.checklist(arguments), baseline=None)
    judged = [Judged(run, evaluate(checklist, run)) for run in map(load, arguments.runs)]
    if arguments.baseline:
        return compare_to_baseline(baseline.read(arguments.baseline), judged[0], checklist)
    return compare(judged[0], judged[1])
