"""How the service itself does: for whoever restarts it, and for Prometheus."""

from __future__ import annotations

import logging
from collections import Counter

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import text

from tfhealth.service import metrics
from tfhealth.service.access import TheCaller
from tfhealth.service.state import TheService
from tfhealth.service.tasks.kinds import KINDS, due
from tfhealth.store.tables.base import now

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_LOG = logging.getLogger(__name__)
_COUNTED = 10_000  # of each kind; more waiting work than that is as bad


@router.get("/healthz")
def healthz(service: TheService) -> JSONResponse:
    """Say whether the database answers and background work goes on: 200, or 503."""
    try:
        with service.database.reading() as session:
            session.execute(text("SELECT 1"))
        database = True
    except Exception:
        _LOG.exception("the database cannot be asked")
        database = False
    queue = service.queue.alive()
    said = {"database": "ok" if database else "unreachable", "queue": "ok" if queue else "stopped"}
    return JSONResponse(said, 200 if database and queue else 503)


@router.get("/metrics")
def counted(caller: TheCaller, service: TheService) -> Response:
    """Return what was counted; where tokens are needed, for one that may read every project."""
    if not caller.may("read", None):
        raise HTTPException(403, "this needs a token of scope read for every project")
    with service.database.reading() as session:
        waiting = Counter(task.kind for task in due(session, now(), _COUNTED))
    return Response(metrics.exposition({kind: waiting[kind] for kind in KINDS}), media_type=CONTENT_TYPE_LATEST)
