"""`tfhealth report RUN`: a recorded run -> its report, written again."""

from __future__ import annotations

import argparse
from pathlib import Path

from tfhealth.cli import options
from tfhealth.cli.exits import Exit

__all__ = ["add"]


def add(parser: argparse.ArgumentParser) -> None:
    """Give the command's parser its options."""
    parser.description = (
        "Write report.html, report.pdf and result.json into RUN, also for a run that was killed half-way."
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="a run directory")
    options.add_formats(parser, "json,html,pdf")
    options.add_rules(parser)
    parser.set_defaults(act=_act)


def _act(arguments: argparse.Namespace) -> int:
    from tfhealth.console import summary
    from tfhealth.diagnosis import evaluate
    from tfhealth.loading import load
    from tfhealth.report import write_report

    run = load(arguments.run)
    checklist = options.checklist(arguments)
    result = evaluate(checklist, run)
    written = write_report(result, run, checklist, run.path or arguments.run, arguments.formats)
    print(summary(result, written))
    return Exit.INCOMPLETE if run.damage or written.problems else Exit.PASSED
