"""Projects over HTTP: which there are, and a new one."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException
from sqlalchemy.exc import IntegrityError

from tfhealth.service.access import TheCaller
from tfhealth.service.state import TheService
from tfhealth.store import finding
from tfhealth.store.tables import Project
from tfhealth.wire.accounts import NewProject, ProjectSummary

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["projects"])


@router.get("/projects")
def projects(caller: TheCaller, service: TheService) -> list[ProjectSummary]:
    """Return every project that the caller may know of, by name."""
    with service.database.reading() as session:
        found = finding.projects(session, caller.project)
    return [ProjectSummary(name=one.slug, runs=one.runs, created=one.created) for one in found]


@router.post("/projects", status_code=201)
def make(new: NewProject, caller: TheCaller, service: TheService) -> ProjectSummary:
    """Make a project; this needs a token of scope admin for every project."""
    if not caller.may("admin", None):
        raise HTTPException(403, "this needs a token of scope admin for every project")
    try:
        with service.database.writing() as session:
            made = Project(slug=new.name)
            session.add(made)
            session.flush()
            return ProjectSummary(name=made.slug, runs=0, created=made.created)
    except IntegrityError:
        raise HTTPException(409, "there is a project of this name") from None
