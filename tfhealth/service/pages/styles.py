"""The report's own style sheet, served for the pages too, so that both look alike."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from tfhealth import resources

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/static/report.css")
def report_css() -> Response:
    """Return the style sheet of reports."""
    return Response((resources.templates_dir() / "report.css").read_bytes(), media_type="text/css")
