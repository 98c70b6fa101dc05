"""Runs over HTTP: put what is new, ask what is held, get what was judged."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import Field
from sqlalchemy import select

from tfhealth.report.formats import FORMATS
from tfhealth.service import metrics
from tfhealth.service.access import RunId, Slug, TheCaller, checked_project, checked_run
from tfhealth.service.body import TheDelta
from tfhealth.service.downloads import MEDIA, download
from tfhealth.service.state import TheService
from tfhealth.service.tasks.task import Task
from tfhealth.store import finding, listing, receiving
from tfhealth.store.listing import Listed, Wanted
from tfhealth.store.receiving import unpacked
from tfhealth.store.tables import Judgement, StoredRun
from tfhealth.wire.delta import Delta, Held
from tfhealth.wire.documents import RunFilter, RunPage, RunSummary, WhoAmI

__all__ = ["remove", "router"]

router = APIRouter(prefix="/api/v1", tags=["runs"])


@router.get("/whoami")
def whoami(caller: TheCaller) -> WhoAmI:
    """Say who asks, and which project is meant where none is named."""
    return WhoAmI(name=caller.name, scope=caller.scope, project=caller.project or finding.DEFAULT_PROJECT)


class _Listed(RunFilter):
    """What a list is asked for."""

    after: str = Field("", max_length=80, description="`next` of the page before")
    most: int = Field(50, ge=1, le=500, description="runs on a page")


@router.get("/projects/{project}/runs")
def runs(project: Slug, asked: Annotated[_Listed, Query()], caller: TheCaller, service: TheService) -> RunPage:
    """Return a page of a project's runs, the latest first."""
    with service.database.reading() as session:
        owner = checked_project(session, caller, project, "read")
        try:
            found = listing.find(session, owner, _wanted(asked), asked.after, asked.most)
        except ValueError:
            raise HTTPException(422, "after: must be `next` of a page of this list") from None
    shown = [RunSummary(project=project, **one._asdict()) for one in found.runs]
    return RunPage(runs=shown, total=found.total, next=found.next or None)


def _wanted(asked: RunFilter) -> Wanted:
    own = {name: value for name in RunFilter.model_fields if (value := getattr(asked, name)) is not None}
    return Wanted(found=own.pop("rule", ""), **own)


@router.get("/projects/{project}/runs/{run}/held")
def held(project: Slug, run: RunId, caller: TheCaller, service: TheService) -> Held:
    """Say what is held of a run; of one that is not known, nothing."""
    with service.database.reading() as session:
        return receiving.held(session, checked_project(session, caller, project, "ingest"), run)


_BODY = {"schema": Delta.model_json_schema(ref_template="#/components/schemas/{model}")}


@router.put(
    "/projects/{project}/runs/{run}",
    responses={409: {"description": "rows before these are missing"}},
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": _BODY}}},
)
def put(project: Slug, run: RunId, delta: TheDelta, caller: TheCaller, service: TheService) -> Held:
    """Take what is new of a run. Sent again, it changes nothing."""
    with service.database.writing() as session:
        owner = checked_project(session, caller, project, "ingest")
        try:
            found = receiving.receive(session, owner, run, delta, caller.name)
        except receiving.GapError as error:
            raise HTTPException(409, str(error)) from None
        key = session.scalars(select(StoredRun.key).where(StoredRun.project_id == owner.id, StoredRun.id == run)).one()
    metrics.rows_received({stretch.table: len(stretch.rows) for stretch in delta.stretches})
    service.queue.defer(Task("judge", key))
    return found


@router.get("/projects/{project}/runs/{run}")
def summary(project: Slug, run: RunId, caller: TheCaller, service: TheService) -> RunSummary:
    """Return one run as lists show it."""
    with service.database.reading() as session:
        stored = checked_run(session, caller, project, run)
        return RunSummary(project=project, **{name: getattr(stored, name) for name in Listed._fields})


@router.delete(
    "/projects/{project}/runs/{run}",
    status_code=204,
    responses={409: {"description": "it lies in the folder that is served, and would be found there again"}},
)
def remove(project: Slug, run: RunId, caller: TheCaller, service: TheService) -> None:
    """Delete a run with all that was made of it; this needs scope admin. Sent again, it is there again."""
    with service.database.writing() as session:
        owner = checked_project(session, caller, project, "admin")
        found = finding.by_id(session, owner, run, lock=True)
        if found is None:
            raise HTTPException(404, "no such run")
        if found.folder is not None:
            raise HTTPException(409, "this run lies in the folder that is served; delete it there")
        session.delete(found)


@router.get("/projects/{project}/runs/{run}/result")
def result(project: Slug, run: RunId, caller: TheCaller, service: TheService) -> dict[str, Any]:
    """Return the verdict on a run, as `result.json` has it."""
    with service.database.reading() as session:
        judgement = session.get(Judgement, checked_run(session, caller, project, run).key)
        if judgement is None:
            raise HTTPException(404, "this run was not judged yet")
        return dict(unpacked(judgement.result))


ReportFormat = Annotated[str, Query(pattern=f"^({'|'.join(FORMATS)})$", description="one of the report's formats")]


@router.get(
    "/projects/{project}/runs/{run}/report",
    response_class=Response,
    responses={200: {"content": {media: {} for media in MEDIA.values()}}},
)
async def report(project: Slug, run: RunId, format: ReportFormat, caller: TheCaller, service: TheService) -> Response:
    """Return the report on a run by its last verdict, as a file."""
    return await download(service, caller, project, run, format, f"{run}-{FORMATS[format].file}")
