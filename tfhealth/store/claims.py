"""A piece of background work -> whether it is ours to do, when several workers look at one database."""

from __future__ import annotations

import threading
import uuid
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, exists, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute

from tfhealth.store.database import Database
from tfhealth.store.tables import Claim
from tfhealth.store.tables.base import now

__all__ = ["Claims", "unclaimed"]

_LASTS = timedelta(seconds=20)
_RENEW = timedelta(seconds=5)
_FORGET = timedelta(hours=1)


def unclaimed(kind: str, key: InstrumentedAttribute[int], at: datetime) -> ColumnElement[bool]:
    """Return the condition that nobody works on a row at a time, and that it does not rest."""
    return ~exists().where(and_(Claim.kind == kind, Claim.key == key, Claim.until > at))


class Claims:
    """What one worker has begun. Whoever dies without a word is thought dead after 20 seconds.

    What a worker was done with while the database was away is free after as long: only what it does is renewed.

    Args:
        database: where claims stand.
    """

    def __init__(self, database: Database) -> None:
        self._database, self._holder = database, uuid.uuid4().hex
        self._renewed = now()
        self._lock, self._doing = threading.Lock(), set[tuple[str, int]]()

    def take(self, kind: str, key: int) -> bool:
        """Claim a piece of work; return whether it is ours."""
        at = now()
        values = {"holder": self._holder, "until": at + _LASTS}
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        query = insert(Claim).values(kind=kind, key=key, **values)
        taken = query.on_conflict_do_update(
            index_elements=[Claim.kind, Claim.key], set_=values, where=Claim.until <= at
        ).returning(Claim.key)
        with self._database.writing() as session:
            ours = session.scalar(taken) is not None
        if ours:
            with self._lock:
                self._doing.add((kind, key))
        return ours

    def release(self, kind: str, key: int, rest: timedelta | None = None) -> None:
        """Give a piece of work back; with `rest`, nobody begins it again before so much time is over."""
        with self._lock:
            self._doing.discard((kind, key))
        mine = and_(Claim.kind == kind, Claim.key == key, Claim.holder == self._holder)
        with self._database.writing() as session:
            if rest is None:
                session.execute(delete(Claim).where(mine))
            else:
                session.execute(update(Claim).where(mine).values(holder="", until=now() + rest))

    def renew(self) -> None:
        """Say that we live; to be called every second or so, while there is work that was taken."""
        at = now()
        if at - self._renewed < _RENEW:
            return
        with self._lock:
            doing = tuple_(Claim.kind, Claim.key).in_(sorted(self._doing))
        with self._database.writing() as session:
            session.execute(update(Claim).where(doing, Claim.holder == self._holder).values(until=at + _LASTS))
            session.execute(delete(Claim).where(Claim.until < at - _FORGET))
        self._renewed = at
