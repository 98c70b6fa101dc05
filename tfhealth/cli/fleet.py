"""`tfhealth evaluate --engine ray`, `--output FILE.parquet`: many runs -> tables of verdicts, and the gate over all."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from tfhealth.cli import options
from tfhealth.cli.exits import Exit, exit_of, shown_gate
from tfhealth.errors import UsageError
from tfhealth.gating import gated

if TYPE_CHECKING:
    from tfhealth.rules.checklist import Checklist

__all__ = ["act", "is_fleet"]

_SUFFIX = ".parquet"


def is_fleet(arguments: argparse.Namespace) -> bool:
    """Tell whether runs are judged as many."""
    tables = arguments.output is not None and arguments.output.suffix == _SUFFIX
    return arguments.engine != "local" or tables or any("://" in one for one in arguments.runs)


def act(arguments: argparse.Namespace, checklist: Checklist) -> int:
    """Judge every run, write the tables, print how many came to what; return the exit code.

    Raises:
        UsageError: options that do not fit.
        RunError: there is no run where one is named.
    """
    if arguments.output is None or arguments.output.suffix != _SUFFIX:
        raise UsageError(f"many runs are written as tables: give --output a name that ends with {_SUFFIX}.")
    if arguments.format != "text" or arguments.write_baseline or arguments.prune_baseline:
        raise UsageError("--format and baselines to be written are for runs that are judged here, without tables.")
    from tfhealth.fleet import ENGINES, Tables, found  # seconds, which nobody should wait for to be told of a typo

    places, by = found(arguments.runs), options.gate(arguments, checklist)
    counts: dict[str, int] = {}
    codes, reasons = {Exit.PASSED}, list[str]()
    with Tables(arguments.output) as tables, _progress(len(places)) as one_more:
        for one in ENGINES[arguments.engine](places, checklist):
            tables.add(one)
            word = "not judged" if one.result is None else one.result.verdict.replace("_", " ")
            counts[word] = counts.get(word, 0) + 1
            if one.result is not None:
                said = gated([one.result], by)
                codes.add(exit_of(said))
                reasons += said.reasons[:1]
            elif by.fail_on is not None or by.require:
                codes.add(Exit.INCOMPLETE)
                reasons.append(f"{one.place} could not be judged: {one.trouble}")
            one_more()
    print(f"tfhealth: {len(places)} runs: {', '.join(f'{count} {word}' for word, count in sorted(counts.items()))}")
    print(f"  {arguments.output}")
    code = Exit.FAILED if Exit.FAILED in codes else max(codes)
    return shown_gate(code, reasons)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """Show on a terminal how far it is, elsewhere nothing; yield what says that one more is done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as shown:
        yield partial(shown.advance, shown.add_task("", total=total))
