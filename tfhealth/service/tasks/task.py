"""One piece of background work, and what there is to say of each kind of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from tfhealth.service.rooms import Rooms
from tfhealth.store.database import Database

__all__ = ["Kind", "Means", "Task"]


@dataclass(frozen=True)
class Task:
    """Something to be done.

    Attributes:
        kind: a name of `KINDS`.
        key: number of the row that it is about.
    """

    kind: str
    key: int


@dataclass(frozen=True)
class Means:
    """What work is done with.

    Attributes:
        database: where everything is.
        rooms: processes for work on runs.
        defer: asks for more work.
    """

    database: Database
    rooms: Rooms
    defer: Callable[[Task], None]


@dataclass(frozen=True)
class Kind:
    """A kind of work.

    Attributes:
        due: keys of what is to be done at a time, the most urgent first, at most so many.
        perform: does it; what may fail for a reason that lies in the run is written down there, and not raised.
    """

    due: Callable[[Session, datetime, int], Iterable[int]]
    perform: Callable[[Means, int], None]
