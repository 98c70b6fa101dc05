"""`tfhealth push RUN…`: recorded runs -> a server has them, whole, once, however often they are sent."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tfhealth.cli import options
from tfhealth.cli.exits import Exit
from tfhealth.errors import Error, UsageError

if TYPE_CHECKING:
    from rich.progress import Progress

    from tfhealth.client import Client

__all__ = ["add"]


def add(parser: argparse.ArgumentParser) -> None:
    """Give the command's parser its options."""
    parser.description = (
        "Send recorded runs to a server, as they stand. What it has already is not sent again, so a push that was cut "
        "off is completed by another one. Returns 3 where a run could not be sent."
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="a run directory")
    options.add_server(parser, "where they go")
    parser.add_argument(
        "--patience", type=float, default=60.0, metavar="S", help="seconds to try again for (default: 60)"
    )
    parser.set_defaults(act=_act)


def _act(arguments: argparse.Namespace) -> int:
    try:
        from tfhealth.client import Client
    except ModuleNotFoundError as error:
        raise UsageError(f"push needs {error.name}: pip install 'tfhealth[service]'") from None
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
    console = Console(stderr=True)
    shown = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with Client(arguments.server, arguments.token) as client, shown:
        sent = [_push(client, run, arguments, shown) for run in arguments.runs]
    return Exit.PASSED if all(sent) else Exit.INCOMPLETE


def _push(client: Client, run: Path, arguments: argparse.Namespace, shown: Progress) -> bool:
    """Send one run; tell where it is, or why it could not be sent, and go on with the next."""
    from tfhealth.client import push
    from tfhealth.console import one_line

    task = shown.add_task(one_line(f"{run}: asking"), total=None)

    def told(sent: int) -> None:
        shown.update(task, description=one_line(f"{run}: {sent} sent"))

    try:
        pushed = push(client, run, arguments.project, told, arguments.patience)
    except Error as error:
        print(one_line(f"tfhealth: {run}: {error}"), file=sys.stderr)
        return False
    finally:
        shown.remove_task(task)
    what = "sent" if pushed.deltas else "was there"
    print(one_line(f"tfhealth: {run}: {what}: {pushed.address}"))
    return True
