"""What the parts of a running service share: the database, the processes, and what is to be done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from tfhealth.service.queue import Queue
from tfhealth.service.rooms import Rooms
from tfhealth.service.settings import Settings
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
    """

    settings: Settings
    database: Database
    rooms: Rooms
    queue: Queue


async def _of(request: Request) -> Service:  # a plain function would wait for one of few threads
    return cast(Service, request.app.state.service)


TheService = Annotated[Service, Depends(_of)]
"""A parameter of this type is given the service."""
