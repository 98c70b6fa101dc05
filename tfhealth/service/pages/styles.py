"""The report's own style sheet, and that of a project's pack, served for the pages too, so that both look alike."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from tfhealth import resources
from tfhealth.service import work
from tfhealth.service.access import Slug, TheCaller, checked_project
from tfhealth.service.state import TheService

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/static/report.css")
def report_css() -> Response:
    """Return the style sheet of reports."""
    return Response((resources.templates_dir() / "report.css").read_bytes(), media_type="text/css")


@router.get("/projects/{project}/look.css")
def look(project: Slug, caller: TheCaller, service: TheService) -> Response:
    """Return the style sheet of the pack that a project's reports look like; empty where there is none."""
    with service.database.reading() as session:
        found = work.look(checked_project(session, caller, project, "read").profile)
    return Response(found.style if found is not None else "", media_type="text/css")
