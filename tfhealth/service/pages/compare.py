"""Two runs of a project -> the page that shows how they differ, and the page on which the second one is chosen."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup

from tfhealth.service.access import Caller, Slug, TheCaller, checked_project, checked_run
from tfhealth.service.pages.rendering import page
from tfhealth.service.reports import compared, inside
from tfhealth.service.state import Service, TheService
from tfhealth.store import listing
from tfhealth.store.tables import StoredRun
from tfhealth.wire.delta import IDENTITY

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_Id = Annotated[str, Query(pattern=f"^({IDENTITY.pattern})?$")]


@router.get("/projects/{project}/compare")
async def compare(
    request: Request,
    project: Slug,
    caller: TheCaller,
    service: TheService,
    run: Annotated[list[str] | None, Query()] = None,
    before: _Id = "",
    after: _Id = "",
) -> Response:
    """Show how two runs differ; `run`, given twice, are those that were ticked in a list."""
    if run is not None:
        return await run_in_threadpool(_in_order, service, caller, project, run)
    if not (before and after):
        return await run_in_threadpool(_choose, request, service, caller, project, before or after)
    first, second = await run_in_threadpool(_named, service, caller, project, [before, after])
    found = await compared(service, first, second, first.project.profile)
    document = "" if found.trouble else inside(found.data)
    return page(
        request,
        "compare.html.j2",
        project=project,
        before=first,
        after=second,
        document=Markup(document),  # noqa: S704 - our own document, in which everything foreign is escaped
        trouble=found.trouble,
    )


def _in_order(service: Service, caller: Caller, project: str, ids: list[str]) -> Response:
    """Lead to the comparison of two runs, the earlier one first."""
    if len(set(ids)) != 2:
        raise HTTPException(400, f"two runs are compared; {len(set(ids))} were chosen")
    first, second = sorted(_named(service, caller, project, ids), key=lambda one: (one.started, one.key))
    return RedirectResponse(f"/projects/{project}/compare?before={first.id}&after={second.id}", 303)


def _choose(request: Request, service: Service, caller: Caller, project: str, one: str) -> HTMLResponse:
    """Show with which runs one may be compared, those of the same model."""
    if not one:
        raise HTTPException(400, "two runs are compared; choose them in the list of runs")
    with service.database.reading() as session:
        owner = checked_project(session, caller, project, "read")
        run = checked_run(session, caller, project, one)
        found = listing.find(session, owner, listing.Wanted(model=run.model))
    return page(request, "choose.html.j2", project=project, run=run, others=[it for it in found.runs if it.id != one])


def _named(service: Service, caller: Caller, project: str, ids: list[str]) -> list[StoredRun]:
    with service.database.reading() as session:
        return [checked_run(session, caller, project, one) for one in ids]
