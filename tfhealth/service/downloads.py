"""A run and a format -> the report on it by its last verdict, as a file."""

from __future__ import annotations

import json
from mimetypes import guess_type

from fastapi import HTTPException, Response
from fastapi.concurrency import run_in_threadpool

from tfhealth.report.formats import FORMATS
from tfhealth.service.access import Caller, checked_run
from tfhealth.service.reports import report
from tfhealth.service.state import Service
from tfhealth.store.judging import DOUBT
from tfhealth.store.receiving import unpacked
from tfhealth.store.tables import Judgement, StoredRun

__all__ = ["MEDIA", "download"]

MEDIA = {name: guess_type(format.file)[0] or "text/markdown" for name, format in FORMATS.items()}
"""The media type of each format."""


async def download(service: Service, caller: Caller, project: str, run: str, format: str, name: str) -> Response:
    """Return the report on a run.

    Args:
        service: where it is.
        caller: who asks.
        project: the run's.
        run: its identity.
        format: one of the report's formats.
        name: of the file; empty: it is opened, and not kept.

    Raises:
        HTTPException: 404 there is none that they may read; 503 it cannot be written.
    """
    stored, judgement = await run_in_threadpool(_judged, service, caller, project, run)
    if format == "json":  # is there already
        data = json.dumps(unpacked(judgement.result), indent=2, ensure_ascii=False).encode() + b"\n"
    else:
        found = await report(service, stored, stored.project.profile, format)
        if found.trouble:
            after = {"Retry-After": f"{DOUBT.total_seconds():.0f}"}
            raise HTTPException(503, f"the report cannot be written: {found.trouble}", after)
        data = found.data
    headers = {"Content-Disposition": f'attachment; filename="{name}"'} if name else {}
    return Response(data, media_type=MEDIA[format], headers={"Content-Security-Policy": _ALONE, **headers})


_ALONE = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; sandbox"
"""The policy of a report that is opened by itself; its own, in the document, names the one style that it has."""


def _judged(service: Service, caller: Caller, project: str, run: str) -> tuple[StoredRun, Judgement]:
    with service.database.reading() as session:
        stored = checked_run(session, caller, project, run)
        judgement = session.get(Judgement, stored.key)
        if judgement is None:
            raise HTTPException(404, "this run was not judged yet")
        return stored, judgement
