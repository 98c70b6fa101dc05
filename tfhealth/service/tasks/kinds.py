"""Every kind of background work, by its name."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from itertools import chain, zip_longest

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from tfhealth.service import metrics
from tfhealth.service.rooms import RoomAwayError
from tfhealth.service.tasks.delivering import DELIVER
from tfhealth.service.tasks.judging import JUDGE
from tfhealth.service.tasks.rejudging import REJUDGE
from tfhealth.service.tasks.task import Kind, Means, Task
from tfhealth.store.claims import Claims, unclaimed
from tfhealth.store.tables.base import now

__all__ = ["KINDS", "due", "perform"]

_LOG = logging.getLogger(__name__)
_REST = timedelta(minutes=1)
"""Before what failed is begun again, by anybody."""
_AGAIN = timedelta(seconds=1)
"""Before what is still to be done after it was done, or was broken off, is begun again."""
_AWAY = (RoomAwayError, OperationalError, InterfaceError)
"""Says nothing about the work: the service stops, or the database is away."""

KINDS: dict[str, Kind] = {"judge": JUDGE, "rejudge": REJUDGE, "deliver": DELIVER}


def due(session: Session, at: datetime, most: int) -> list[Task]:
    """Return what nobody does yet of what is to be done at a time: at most so many of each kind, kinds in turn."""
    found = [
        [Task(name, key) for key in session.scalars(kind.due(at).where(unclaimed(name, kind.key, at)).limit(most))]
        for name, kind in KINDS.items()
    ]
    return [task for task in chain.from_iterable(zip_longest(*found)) if task is not None]


def perform(means: Means, claims: Claims, task: Task) -> None:
    """Do one thing, unless somebody else does it or it is not due; what fails rests, so that others have their turn."""
    try:
        if claims.take(task.kind, task.key):
            claims.release(task.kind, task.key, _done(means, task))
    except _AWAY as error:
        _LOG.warning("background work: %s %s is left as it is: %s", task.kind, task.key, error)


def _done(means: Means, task: Task) -> timedelta | None:
    """Do one thing; return how long it rests, if there is more of it to do."""
    try:
        if _is_due(means, task):
            with metrics.working(task.kind):
                KINDS[task.kind].perform(means, task.key)
        return _AGAIN if _is_due(means, task) else None
    except _AWAY as error:
        _LOG.warning("background work: %s %s was broken off: %s", task.kind, task.key, error)
        return _AGAIN
    except Exception:
        _LOG.exception("background work: %s %s failed; it is tried again in a minute", task.kind, task.key)
        return _REST


def _is_due(means: Means, task: Task) -> bool:
    kind = KINDS[task.kind]
    with means.database.reading() as session:
        return session.scalar(kind.due(now()).where(kind.key == task.key).limit(1)) is not None
