"""An open page of a run -> server-sent events that tell it when there is something new to fetch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from anyio import Event
from fastapi import APIRouter, Header, Query
from fastapi.concurrency import run_in_threadpool
from sse_starlette import EventSourceResponse, ServerSentEvent

from tfhealth.service.access import RunId, Slug, TheCaller, checked_run
from tfhealth.service.state import Service, TheService
from tfhealth.store.tokens import Shown

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_GRACE = 3.0  # seconds in which a stream ends by itself when the service stops


@router.get("/projects/{project}/runs/{run}/events")
async def events(
    project: Slug,
    run: RunId,
    caller: TheCaller,
    service: TheService,
    seen: Annotated[str, Query(max_length=60)] = "",
    last_event_id: Annotated[str, Header()] = "",
) -> EventSourceResponse:
    """Send `changed` for each change beyond what was seen, and `done` when none is to be expected any more.

    A token or a login that ends is the last change: the page asks for it, and is led to the login.
    """

    def find() -> int:
        with service.database.reading() as session:
            return checked_run(session, caller, project, run).key

    key, stopping = await run_in_threadpool(find), Event()
    told = _events(service, key, caller.shown, last_event_id or seen, stopping)
    return EventSourceResponse(told, shutdown_event=stopping, shutdown_grace_period=_GRACE)


async def _events(
    service: Service, key: int, shown: Shown | None, seen: str, stopping: Event
) -> AsyncIterator[ServerSentEvent]:
    async for found in service.watch.changes(key, shown, seen, stopping.is_set):
        yield ServerSentEvent("", event="changed", id=found.mark)
    if not stopping.is_set():  # else the page asks again, and finds the service that comes after this one
        yield ServerSentEvent("", event="done")
