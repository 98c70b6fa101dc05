"""A run's folder and a server -> the server has everything that the folder has."""

from __future__ import annotations

import itertools
import random
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from tfhealth.client.api import Client, ServerError
from tfhealth.database import DATABASE, UNREADABLE, opened
from tfhealth.errors import RunError
from tfhealth.wire.outgoing import deltas, identity

__all__ = ["CONFLICT", "Patience", "Pushed", "push"]

P = ParamSpec("P")
T = TypeVar("T")

CONFLICT = 409
_ROUNDS = 5  # a run that goes on, or that somebody else sends too, has more to send each time
_FIRST, _LONGEST = 0.5, 30.0  # seconds between two attempts


@dataclass(frozen=True)
class Pushed:
    """What a push did.

    Attributes:
        run: identity of the run.
        project: where it is now.
        address: the page that shows it.
        deltas: how many there were to send; 0: the server had everything.
    """

    run: str
    project: str
    address: str
    deltas: int


def push(
    client: Client,
    run: Path,
    project: str | None = None,
    told: Callable[[int], None] = lambda sent: None,
    patience: float = 60.0,
) -> Pushed:
    """Send a run, as it stands, to a server; what the server has already is not sent.

    Args:
        client: of the server.
        run: the run directory; of one that goes on, what is there now is sent.
        project: None: the one that the token is for.
        told: called with the number of deltas sent so far.
        patience: seconds for which a server that cannot be reached is asked again, each time after a longer pause.

    Raises:
        RunError: there is no run in the folder.
        ServerError: the server refuses it, or could not be reached for too long.
    """
    database = run / DATABASE
    if not database.is_file():
        raise RunError(f"{run}: not a run directory, it has no {DATABASE}.")
    ask = Patience(patience)
    project = project or ask(client.whoami).project
    try:
        with opened(database) as connection:
            name = identity(connection)
            sent = 0
            for _ in range(_ROUNDS):
                fresh = _send(client, ask, connection, project, name)
                sent += fresh
                told(sent)
                if not fresh:
                    break
    except UNREADABLE as error:
        raise RunError(f"{database}: damaged, cannot be sent ({error}).") from error
    return Pushed(name, project, f"{client.server}/projects/{project}/runs/{name}", sent)


def _send(client: Client, ask: Patience, connection: sqlite3.Connection, project: str, name: str) -> int:
    """Send what the server lacks; return in how many deltas. 0: it lacks nothing, or somebody else sends it now."""
    sent = 0
    for delta in deltas(connection, ask(client.held, project, name)):
        try:
            ask(client.put, project, name, delta)
        except ServerError as error:
            if error.status != CONFLICT:
                raise
            break
        sent += 1
    return sent


class Patience:
    """Asks again where an answer may come later, each time after a longer pause, until its time is over."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def __call__(self, ask: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `ask` returns; raise what it raises when nothing is to be hoped for any more."""
        for attempt in itertools.count():
            try:
                return ask(*args, **kwargs)
            except ServerError as error:
                rest = self._until - time.monotonic()
                if not error.again or rest <= 0:
                    raise
                # With an uncertain part, so that many that were cut off together do not come back together.
                pause = error.after or min(_LONGEST, _FIRST * 2**attempt) * random.uniform(0.5, 1)  # noqa: S311
                time.sleep(min(pause, rest))
        raise AssertionError  # the count has no end
