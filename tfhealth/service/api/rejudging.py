"""A project's profile over HTTP, and a changed one tried on its runs before it is adopted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query
from fastapi.exceptions import RequestValidationError
from sqlalchemy.orm import Session

from tfhealth.service import work
from tfhealth.service.access import Caller, Slug, TheCaller, checked_project
from tfhealth.service.rooms import RoomError
from tfhealth.service.state import Service, TheService
from tfhealth.store import rejudging
from tfhealth.store.tables import Project, Rejudgement
from tfhealth.wire.rejudging import ProfileFault, ProfileText, Trial, TrialRuns
from tfhealth.wire.scopes import Scope

__all__ = ["Number", "adopt", "begun", "checked_trial", "drop", "faults_in", "router"]

router = APIRouter(prefix="/api/v1/projects/{project}", tags=["profiles"])

Number = Annotated[int, Path(ge=1, le=2**53, description="number of the trial")]


def faults_in(service: Service, profile: str) -> list[ProfileFault]:
    """Return everything that is wrong in a profile; it is read in a process apart, since nobody vouches for it."""
    try:
        return service.rooms.do(work.faults, profile)
    except RoomError as error:
        return [ProfileFault(line=1, column=1, path="", what=f"cannot be read: {error}")]


@router.get("/profile")
def profile(project: Slug, caller: TheCaller, service: TheService) -> ProfileText:
    """Return the profile in force."""
    with service.database.reading() as session:
        return ProfileText(profile=checked_project(session, caller, project, "read").profile)


@router.post("/trials", status_code=201, responses={422: {"description": "the profile has faults"}})
def begin(project: Slug, body: ProfileText, caller: TheCaller, service: TheService) -> Trial:
    """Try a profile on all runs of the project, in the background; one that is being tried is dropped for it."""
    with service.database.reading() as session:
        checked_project(session, caller, project, "admin")
    if found := faults_in(service, body.profile):
        raise RequestValidationError([_said(fault) for fault in found])
    return begun(project, body.profile, caller, service)


def _said(fault: ProfileFault) -> dict[str, object]:
    path = f"{fault.path}: " if fault.path else ""
    what = f"line {fault.line}, column {fault.column}: {path}{fault.what}"
    return {"loc": ("body", "profile"), "msg": what, "type": "rule"}


def begun(project: str, profile: str, caller: Caller, service: Service) -> Trial:
    """Begin to try a profile that has no faults; sweeps find every run of the trial."""
    with service.database.writing() as session:
        owner = checked_project(session, caller, project, "admin")
        return rejudging.trial(session, rejudging.begin(session, owner, profile, caller.name))


@router.get("/trials/{number}")
def trial(project: Slug, number: Number, caller: TheCaller, service: TheService) -> Trial:
    """Say how far a trial is, and what it would change, in numbers."""
    with service.database.reading() as session:
        return rejudging.trial(session, checked_trial(session, caller, project, number)[1])


@router.get("/trials/{number}/runs")
def changes(
    project: Slug,
    number: Number,
    caller: TheCaller,
    service: TheService,
    first: Annotated[int, Query(ge=0, le=2**31, description="number of the first, from 0")] = 0,
    most: Annotated[int, Query(ge=1, le=200, description="how many at most")] = 50,
) -> TrialRuns:
    """Return the runs that a trial would change, or could not judge."""
    with service.database.reading() as session:
        return rejudging.changes(session, checked_trial(session, caller, project, number)[1], first, most)


_STATES: dict[int | str, dict[str, str]] = {409: {"description": "the trial is not in a state in which this can be"}}


@router.post("/trials/{number}/adopt", responses={**_STATES})
def adopt(project: Slug, number: Number, caller: TheCaller, service: TheService) -> Trial:
    """Make the profile that was tried the project's, and its verdicts the runs' own."""
    return _ended(rejudging.adopt, project, number, caller, service)


@router.post("/trials/{number}/drop", responses={**_STATES})
def drop(project: Slug, number: Number, caller: TheCaller, service: TheService) -> Trial:
    """Forget what was tried; the profile in force stays."""
    return _ended(rejudging.drop, project, number, caller, service)


def _ended(
    end: Callable[[Session, Project, Rejudgement], None], project: str, number: int, caller: Caller, service: Service
) -> Trial:
    with service.database.writing() as session:
        owner, found = checked_trial(session, caller, project, number, "admin")
        try:
            end(session, owner, found)
        except rejudging.StateError as error:
            raise HTTPException(409, str(error)) from None
        return rejudging.trial(session, found)


def checked_trial(
    session: Session, caller: Caller, project: str, number: int, scope: Scope = "read"
) -> tuple[Project, Rejudgement]:
    """Return a project and a trial of it with which the caller may do something; whoever may change it holds it.

    Raises:
        HTTPException: 403 they may not; 404 there is none, or they may not even know.
    """
    owner = checked_project(session, caller, project, scope)
    found = rejudging.find(session, owner, number, lock=scope == "admin")
    if found is None:
        raise HTTPException(404, "no such trial")
    return owner, found
