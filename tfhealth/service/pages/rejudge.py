"""Pages of a project's profile: the editor, and what a changed profile would change of stored runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tfhealth.service.access import Slug, TheCaller, checked_project
from tfhealth.service.api import rejudging as api
from tfhealth.service.api.rejudging import Number
from tfhealth.service.pages.rendering import page
from tfhealth.service.state import TheService
from tfhealth.store import rejudging
from tfhealth.wire.rejudging import LONGEST_PROFILE

__all__ = ["router"]

router = APIRouter(prefix="/projects/{project}", include_in_schema=False)

_ROWS = 50
TheProfile = Annotated[str, Form(max_length=LONGEST_PROFILE)]


@router.get("/profile")
def editor(request: Request, project: Slug, caller: TheCaller, service: TheService) -> HTMLResponse:
    """Show the profile in force, to be changed."""
    with service.database.reading() as session:
        owner = checked_project(session, caller, project, "read")
        last = rejudging.latest(session, owner)
        shown = rejudging.trial(session, last) if last else None
    return page(request, "profile.html.j2", project=project, profile=owner.profile, faults=[], last=shown)


@router.post("/profile", response_model=None)
def attempt(
    request: Request, project: Slug, caller: TheCaller, service: TheService, profile: TheProfile = ""
) -> Response:
    """Try a profile on the stored runs, or show all that is wrong in it."""
    text = profile.replace("\r\n", "\n")
    with service.database.reading() as session:
        checked_project(session, caller, project, "admin")
    if faults := api.faults_in(service, text):
        return page(request, "profile.html.j2", 422, project=project, profile=text, faults=faults, last=None)
    begun = api.begun(project, text, caller, service)
    return RedirectResponse(f"/projects/{project}/trials/{begun.id}", 303)


@router.get("/trials/{number}")
def trial(
    request: Request,
    project: Slug,
    number: Number,
    caller: TheCaller,
    service: TheService,
    first: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> HTMLResponse:
    """Show how far a trial is and what it would change; htmx asks again for the part that changes."""
    with service.database.reading() as session:
        owner, found = api.checked_trial(session, caller, project, number)
        shown, changes = rejudging.trial(session, found), rejudging.changes(session, found, first, _ROWS)
        before, after = owner.profile, found.profile
    part = "profile_trial_state.html.j2" if request.headers.get("hx-request") else "profile_trial.html.j2"
    profiles = {"before": before, "after": after}
    return page(
        request, part, project=project, trial=shown, changes=changes, first=first, most=_ROWS, profiles=profiles
    )


@router.post("/trials/{number}/adopt")
def adopt(project: Slug, number: Number, caller: TheCaller, service: TheService) -> RedirectResponse:
    """Make the profile that was tried the project's."""
    api.adopt(project, number, caller, service)
    return RedirectResponse(f"/projects/{project}/trials/{number}", 303)


@router.post("/trials/{number}/drop")
def drop(project: Slug, number: Number, caller: TheCaller, service: TheService) -> RedirectResponse:
    """Forget what was tried."""
    api.drop(project, number, caller, service)
    return RedirectResponse(f"/projects/{project}/profile", 303)
