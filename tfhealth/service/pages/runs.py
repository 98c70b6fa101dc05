"""Pages of a project's runs: the list, and one run."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import select

from tfhealth.service.access import Slug, TheCaller, checked_project
from tfhealth.service.pages.rendering import page
from tfhealth.service.state import TheService
from tfhealth.store import finding
from tfhealth.store.tables import StoredRun

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/")
def home(caller: TheCaller) -> RedirectResponse:
    """Lead to the project that is meant where none is named."""
    return RedirectResponse(f"/projects/{caller.project or finding.DEFAULT_PROJECT}/runs", 303)


@router.get("/projects/{project}/runs")
def runs(request: Request, project: Slug, caller: TheCaller, service: TheService) -> HTMLResponse:
    """Show the runs of a project, the latest first."""
    with service.database.reading() as session:
        owner = checked_project(session, caller, project, "read")
        query = select(StoredRun).where(StoredRun.project_id == owner.id).order_by(StoredRun.started.desc()).limit(50)
        found = session.scalars(query).all()
    return page(request, "runs.html.j2", project=project, runs=found)
