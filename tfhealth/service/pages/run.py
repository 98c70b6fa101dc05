"""The page of one run: what is known so far while it goes on, the whole report when it has ended; files of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup
from sqlalchemy import select

from tfhealth.service import work
from tfhealth.service.access import Caller, RunId, Slug, TheCaller, checked_run
from tfhealth.service.api import runs as api
from tfhealth.service.downloads import download
from tfhealth.service.pages.rendering import page
from tfhealth.service.pages.summary import summary
from tfhealth.service.reports import head_and_foot, inside, kept_report, report
from tfhealth.service.state import Service, TheService
from tfhealth.service.watching import Progress, progress
from tfhealth.store.rendering import Document
from tfhealth.store.tables import Judgement, StoredRun

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


_OFFERED = {"html": "HTML", "pdf": "PDF", "json": "JSON", "md": "Markdown"}
"""{format that people download: its name}."""


@dataclass(frozen=True)
class _Seen:
    """A run as the database has it, and the one that its project's list has below it: the same model, begun before."""

    run: StoredRun
    judgement: Judgement | None
    progress: Progress
    before: StoredRun | None


@router.get("/projects/{project}/runs/{run}")
def run(request: Request, project: Slug, run: RunId, caller: TheCaller, service: TheService) -> HTMLResponse:
    """Show a run: the report where it is there already, else what is known at once."""
    seen = _look(service, caller, project, run)
    return _page(request, project, seen, kept_report(service, seen.run, "html") if seen.progress.settled else None)


@router.get("/projects/{project}/runs/{run}/live")
def live(request: Request, project: Slug, run: RunId, caller: TheCaller, service: TheService) -> HTMLResponse:
    """Show what is known of a run as the part of its page that is replaced when something new came."""
    seen = _look(service, caller, project, run)
    return page(request, "live.html.j2", project=project, seen=seen, summary=summary(seen.run, seen.judgement))


@router.get("/projects/{project}/runs/{run}/report")
async def whole(request: Request, project: Slug, run: RunId, caller: TheCaller, service: TheService) -> HTMLResponse:
    """Show the whole report on a run, however long that takes."""
    seen = await run_in_threadpool(_look, service, caller, project, run)
    found = await report(service, seen.run, seen.run.project.profile, "html") if seen.judgement else None
    return await run_in_threadpool(_page, request, project, seen, found)


@router.get("/projects/{project}/runs/{run}/report.{format}")
async def file(
    project: Slug,
    run: RunId,
    format: Annotated[str, Path(pattern=f"^({'|'.join(_OFFERED)})$")],
    caller: TheCaller,
    service: TheService,
) -> Response:
    """Return a report on a run as a file; a browser opens HTML."""
    name = "" if format == "html" else f"tfhealth-{run[:8]}.{format}"
    return await download(service, caller, project, run, format, name)


@router.post("/projects/{project}/runs/{run}/delete")
def delete(project: Slug, run: RunId, caller: TheCaller, service: TheService) -> RedirectResponse:
    """Delete a run."""
    api.remove(project, run, caller, service)
    return RedirectResponse(f"/projects/{project}/runs", 303)


def _look(service: Service, caller: Caller, project: str, run: str) -> _Seen:
    with service.database.reading() as session:
        stored = checked_run(session, caller, project, run)
        earlier = (
            select(StoredRun)
            .where(StoredRun.project_id == stored.project_id, StoredRun.model == stored.model)
            .where(StoredRun.started < stored.started)
            .order_by(StoredRun.started.desc())
            .limit(1)
        )
        far = progress(session, [stored.key])[stored.key]
        return _Seen(stored, session.get(Judgement, stored.key), far, session.scalar(earlier))


def _page(request: Request, project: str, seen: _Seen, found: Document | None) -> HTMLResponse:
    data = found.data if found is not None and not found.trouble else b""
    look = work.look(seen.run.project.profile)
    head, foot = head_and_foot(data) if look is not None else ("", "")
    return page(
        request,
        "run.html.j2",
        project=project,
        seen=seen,
        formats=_OFFERED,
        summary=summary(seen.run, seen.judgement),
        style=look is not None and look.style,
        head=Markup(head),  # noqa: S704 - of our own document, in which everything foreign is escaped
        document=Markup(inside(data) if data else ""),  # noqa: S704 - as above
        foot=Markup(foot),  # noqa: S704 - as above
        trouble=found.trouble if found is not None else "",
    )
