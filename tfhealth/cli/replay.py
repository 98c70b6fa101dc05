"""`tfhealth replay RUN`: a step that was kept -> the operation in which NaN or Inf began."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tfhealth.cli.exits import Exit

__all__ = ["add"]

_WIDE = 180  # columns, where no terminal says how many there are


def add(parser: argparse.ArgumentParser) -> None:
    """Give the command's parser its options."""
    parser.description = (
        "Run the step that --catch-nonfinite or catch_nonfinite=True kept in RUN once more, and show the "
        "operation in which NaN or Inf began. A model of Keras's own parts is made anew from RUN."
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="a run directory")
    parser.add_argument(
        "--model",
        metavar="FILE.py:FUNCTION",
        help="run this file, and take the compiled model that this function of it returns: for a model with layers, "
        "losses or steps of your own",
    )
    parser.set_defaults(act=_act)


def _act(arguments: argparse.Namespace) -> int:
    from tfhealth.console import Terminal
    from tfhealth.replay.model import from_file
    from tfhealth.replay.run import replay
    from tfhealth.replay.table import shown

    model = None if arguments.model is None else from_file(arguments.model)
    found = replay(arguments.run, model)
    Terminal(highlight=False, width=None if sys.stdout.isatty() else _WIDE).print(shown(found))
    return Exit.INCOMPLETE if found.began is None else Exit.PASSED
