"""Pages of projects: where somebody lands, and which projects there are."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import func, select

from tfhealth.service.access import TheCaller
from tfhealth.service.pages.rendering import page
from tfhealth.service.state import TheService
from tfhealth.store.tables import Project, StoredRun

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
    columns = (Project.slug, func.count(StoredRun.key), func.max(StoredRun.started))
    query = select(*columns).outerjoin(StoredRun, StoredRun.project_id == Project.id)
    if caller.project is not None:
        query = query.where(Project.slug == caller.project)
    with service.database.reading() as session:
        found = session.execute(query.group_by(Project.slug).order_by(Project.slug)).all()
    return page(request, "projects.html.j2", projects=found)
