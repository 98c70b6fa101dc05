"""Pages of projects: where somebody lands, and which projects there are."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import select

from tfhealth.service.access import TheCaller
from tfhealth.service.pages.rendering import page
from tfhealth.service.state import TheService
from tfhealth.store import finding
from tfhealth.store.tables import Project

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/")
def home(caller: TheCaller, service: TheService) -> Response:
    """Lead to the only project that the caller may see, or to all of them."""
    with service.database.reading() as session:
        slugs = session.scalars(select(Project.slug).limit(2)).all()
    only = caller.project or (slugs[0] if len(slugs) == 1 else None)
    return RedirectResponse(f"/projects/{only}/runs" if only else "/projects", 303)


@router.get("/projects")
def projects(request: Request, caller: TheCaller, service: TheService) -> HTMLResponse:
    """Show the projects that the caller may see, with how many runs each has and when the last one began."""
    with service.database.reading() as session:
        found = finding.projects(session, caller.project)
    return page(request, "projects.html.j2", projects=found)
