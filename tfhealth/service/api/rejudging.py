"""A project's profile over HTTP, and a changed one tried on its runs before it is adopted."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query
from fastapi.exceptions import RequestValidationError

from tfhealth.service import work
from tfhealth.service.access import Caller, Slug, TheCaller, checked_project
from tfhealth.service.rooms import RoomError
from tfhealth.service.state import Service, TheService
from tfhealth.store import rejudging
from tfhealth.wire.rejudging import ProfileFault, ProfileText, Trial, TrialRuns

__all__ = ["Number", "begun", "faults_in", "router"]

router = APIRouter(prefix="/api/v1/projects/{project}", tags=["profiles"])

Number = Annotated[int, Path(ge=1, le=2**53, description="number of the trial")]
_NONE = "no such trial"


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
        found = rejudging.find(session, checked_project(session, caller, project, "read"), number)
        if found is None:
            raise HTTPException(404, _NONE)
        return rejudging.trial(session, found)


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
        found = rejudging.find(session, checked_project(session, caller, project, "read"), number)
        if found is None:
            raise HTTPException(404, _NONE)
        return rejudging.changes(session, found, first, most)


_STATES: dict[int | str, dict[str, str]] = {409: {"description": "the trial is not in a state in which this can be"}}


@router.post("/trials/{number}/adopt", responses={**_STATES})
def adopt(project: Slug, number: Number, caller: TheCaller, service: TheService) -> Trial:
    """Make the profile that was tried the project's, and its verdicts the runs' own."""
    with service.database.writing() as session:
        owner = checked_project(session, caller, project, "admin")
        try:
            found = rejudging.adopt(session, owner, number)
        except rejudging.StateError as error:
            raise HTTPException(409, str(error)) from None
        if found is None:
            raise HTTPException(404, _NONE)
        return rejudging.trial(session, found)


@router.post("/trials/{number}/drop", responses={**_STATES})
def drop(project: Slug, number: Number, caller: TheCaller, service: TheService) -> Trial:
    """Forget what was tried; the profile in force stays."""
    with service.database.writing() as session:
        owner = checked_project(session, caller, project, "admin")
        try:
            found = rejudging.drop(session, owner, number)
        except rejudging.StateError as error:
            raise HTTPException(409, str(error)) from None
        if found is None:
            raise HTTPException(404, _NONE)
        return rejudging.trial(session, found)
