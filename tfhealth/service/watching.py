"""Runs that open pages look at -> how far each is, asked of the database once a second for all pages together."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass

from anyio import to_thread
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from tfhealth.store import tokens
from tfhealth.store.database import Database
from tfhealth.store.tables import StoredRun
from tfhealth.store.tokens import Shown

__all__ = ["Progress", "Watch", "progress"]

_LOG = logging.getLogger(__name__)
_EVERY = 1.0  # seconds
_AT_ONCE = 500  # keys in one question


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        mark: another one after every change.
        settled: whether nothing more is to be expected: it has ended, and what was received of it is judged.
    """

    mark: str
    settled: bool


def progress(session: Session, keys: Sequence[int]) -> dict[int, Progress]:
    """Return how far runs are; those that are gone are left out."""
    columns = (StoredRun.key, StoredRun.revision, StoredRun.changed, StoredRun.status, StoredRun.judged_revision)
    found = {}
    for first in range(0, len(keys), _AT_ONCE):
        query = select(*columns, StoredRun.trouble).where(StoredRun.key.in_(keys[first : first + _AT_ONCE]))
        for key, revision, changed, status, judged, trouble in session.execute(query):
            mark = f"{revision}-{changed.timestamp() * 1e6:.0f}"
            found[key] = Progress(mark, status != "running" and (judged == revision or trouble != ""))
    return found


class Watch:
    """Tells pages of changes, however many they are, with one look a second; it must be made in the event loop.

    Args:
        database: which is asked.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watched: Counter[int] = Counter()
        self._shown: Counter[Shown] = Counter()
        self._found: dict[int, Progress | None] = {}
        self._ended: set[Shown] = set()
        self._asked = asyncio.Condition()
        self._task = asyncio.create_task(self._ask_again_and_again())

    async def changes(
        self, key: int, shown: Shown | None, seen: str, over: Callable[[], bool]
    ) -> AsyncIterator[Progress]:
        """Yield how far a run is whenever it has changed, until it is settled or gone.

        When the token or the login ends, a last change is told, so that the page asks and hears that it may not.

        Args:
            key: the run's number.
            shown: the token and the login by which it is looked at; None: by none.
            seen: the mark of what is seen already.
            over: tells whether to end before that; asked once a second.
        """
        by = [] if shown is None else [shown]
        self._watched[key] += 1
        self._shown.update(by)
        try:
            while True:
                async with self._asked:
                    await self._asked.wait()
                if over():
                    return
                if shown in self._ended:
                    yield Progress("", settled=True)
                    return
                if key not in self._found:
                    continue  # this page came while the database was being asked
                found = self._found[key]
                if found is not None and found.mark != seen:
                    seen = found.mark
                    yield found
                if found is None or found.settled:
                    return
        finally:
            self._watched -= Counter([key])
            self._shown -= Counter(by)

    async def close(self) -> None:
        """Stop asking."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _ask_again_and_again(self) -> None:
        while True:
            if keys := list(self._watched):
                await self._ask(keys, list(self._shown))
            await asyncio.sleep(_EVERY)

    async def _ask(self, keys: Sequence[int], shown: Collection[Shown]) -> None:
        try:
            found, holding = await to_thread.run_sync(self._read, keys, shown)
        except SQLAlchemyError:  # a database that is being restarted
            _LOG.exception("pages: the database cannot be asked; trying again")
            return
        async with self._asked:
            self._found = {key: found.get(key) for key in keys}
            self._ended = set(shown) - holding
            self._asked.notify_all()

    def _read(self, keys: Sequence[int], shown: Collection[Shown]) -> tuple[dict[int, Progress], set[Shown]]:
        with self._database.reading() as session:
            return progress(session, keys), tokens.holding(session, shown)
