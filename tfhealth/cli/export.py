"""`tfhealth export RUN --to NAME`: a recorded run -> TensorBoard, MLflow or W&B."""

from __future__ import annotations

import argparse
from pathlib import Path

from tfhealth.cli import options
from tfhealth.cli.exits import Exit

__all__ = ["add"]


def add(parser: argparse.ArgumentParser) -> None:
    """Give the command's parser its options."""
    from tfhealth.export import EXPORTS

    parser.description = "; ".join(f"{name}: {one.does}" for name, one in EXPORTS.items()) + "."
    parser.add_argument("run", type=Path, metavar="RUN", help="a run directory")
    parser.add_argument("--to", required=True, choices=list(EXPORTS), help="the tool; it must be installed")
    parser.add_argument(
        "--folder", type=Path, help="where files go, for a tool that keeps them in a folder (default: where it does)"
    )
    options.add_rules(parser)
    parser.set_defaults(act=_act)


def _act(arguments: argparse.Namespace) -> int:
    from tfhealth.comparison import Judged
    from tfhealth.console import one_line
    from tfhealth.diagnosis import evaluate
    from tfhealth.export import export
    from tfhealth.loading import load

    run = load(arguments.run)
    checklist = options.checklist(arguments)
    judged = Judged(run, evaluate(checklist, run))
    print(one_line(f"tfhealth: {export(judged, checklist, arguments.to, arguments.folder)}"))
    return Exit.INCOMPLETE if run.damage else Exit.PASSED
