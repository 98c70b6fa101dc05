"""One piece of background work, and what there is to say of each kind of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute

from tfhealth.service.rooms import Rooms
from tfhealth.service.settings import Settings
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
        settings: how the service runs.
        database: where everything is.
        rooms: processes for work on runs.
    """

    settings: Settings
    database: Database
    rooms: Rooms


@dataclass(frozen=True)
class Kind:
    """A kind of work.

    Attributes:
        key: the column that says which row it is about.
        due: the query for keys of what is to be done at a time, the most urgent first.
        perform: does it; what may fail for a reason that lies in the run is written down there, and not raised.
    """

    key: InstrumentedAttribute[int]
    due: Callable[[datetime], Select[int]]
    perform: Callable[[Means, int], None]
