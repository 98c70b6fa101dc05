"""What the parts of a running service share: the database, the processes, and what is to be done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from anyio import CapacityLimiter
from fastapi import Depends, Request

from tfhealth.service.queue import Queue
from tfhealth.service.rooms import Rooms
from tfhealth.service.settings import Settings
from tfhealth.service.watching import Watch
from tfhealth.store.database import Database

__all__ = ["Service", "TheService"]


@dataclass(frozen=True)
class Service:
    """A running service; it keeps nothing that is not in the database too.

    Attributes:
        settings: how it runs.
        database: where everything is.
        rooms: processes for work on runs.
        queue: is told that there is something to do.
        watch: tells open pages of changes.
        writers: how many reports are made at once; others wait.
    """

    settings: Settings
    database: Database
    rooms: Rooms
    queue: Queue
    watch: Watch
    writers: CapacityLimiter


async def _of(request: Request) -> Service:  # a plain function would wait for one of few threads
    return cast(Service, request.app.state.service)


TheService = Annotated[Service, Depends(_of)]
"""A parameter of this type is given the service."""
