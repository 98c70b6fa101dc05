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
from tfhealth.wire.delta import Held
from tfhealth.wire.outgoing import Outgoing, identity

__all__ = ["CONFLICT", "Name", "Patience", "Pushed", "pause", "push", "taken"]

P = ParamSpec("P")
T = TypeVar("T")

CONFLICT = 409
_CONFLICTS = 5  # of a run that somebody else sends too
_FIRST, _LONGEST = 0.5, 30.0  # seconds between two attempts
_CHANCE = random.Random()  # noqa: S311 - a generator of our own: the state of Python's belongs to the training

Name = tuple[str, str]
"""A run: its project and its identity."""


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
    sent = 0

    def one_more() -> None:
        nonlocal sent
        sent += 1
        told(sent)

    try:
        with opened(database) as connection:
            name = identity(connection)
            _send(client, ask, connection, one_more, (project, name))
    except UNREADABLE as error:
        raise RunError(f"{database}: damaged, cannot be sent ({error}).") from error
    return Pushed(name, project, client.address(project, name), sent)


def _send(client: Client, ask: Patience, connection: sqlite3.Connection, sent: Callable[[], None], to: Name) -> None:
    """Send what the server lacks, as it stands when each part is read."""
    outgoing, held, conflicts = Outgoing(), ask(client.held, *to), 0
    while (delta := outgoing.delta(connection, held)) is not None:
        try:
            held = taken(held, ask(client.put, *to, delta))
        except ServerError as error:
            conflicts += 1
            if error.status != CONFLICT or conflicts > _CONFLICTS:
                raise
            held = ask(client.held, *to)
        else:
            sent()


def taken(before: Held, after: Held) -> Held:
    """Return what a server holds after a delta.

    Raises:
        ServerError: it holds no more than before, so that sending would never end.
    """
    if after == before:
        raise ServerError("the server answers, and does not keep what it is sent", 200)
    return after


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
                time.sleep(min(pause(error, attempt), rest))
        raise AssertionError  # the count has no end


def pause(error: ServerError, attempt: int) -> float:
    """Return for how many seconds to leave a server alone after it failed; `attempt` counts from 0."""
    # With an uncertain part, so that many that were cut off together do not come back together.
    return error.after or min(_LONGEST, _FIRST * 2 ** min(attempt, 20)) * _CHANCE.uniform(0.5, 1)
