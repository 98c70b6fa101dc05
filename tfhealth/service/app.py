"""Settings -> the service as an ASGI application."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from tfhealth import __version__
from tfhealth.service import failures, health, openapi, problems, work
from tfhealth.service.answers import Answers
from tfhealth.service.api import projects as api_projects
from tfhealth.service.api import rejudging as api_rejudging
from tfhealth.service.api import runs as api_runs
from tfhealth.service.api import tokens as api_tokens
from tfhealth.service.api import webhooks as api_webhooks
from tfhealth.service.folder import FolderWatch
from tfhealth.service.gate import Gate
from tfhealth.service.pages import compare, events, login, projects, rejudge, rules, run, styles, trend
from tfhealth.service.pages import runs as page_runs
from tfhealth.service.pages import settings as page_settings
from tfhealth.service.pages import webhooks as page_webhooks
from tfhealth.service.queue import queue_for
from tfhealth.service.rooms import Rooms
from tfhealth.service.settings import Settings
from tfhealth.service.state import Service
from tfhealth.service.tasks.task import Means
from tfhealth.service.watching import Watch
from tfhealth.store import finding
from tfhealth.store.database import connected

__all__ = ["create_app"]


def create_app(settings: Settings) -> FastAPI:
    """Return the service; the database is brought up to date when it starts.

    Args:
        settings: how it runs.

    Raises:
        UsageError: the database's URL is none.
    """
    database = connected(settings.database)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database.upgrade()
        with database.writing() as session:
            finding.project(session, finding.DEFAULT_PROJECT)
        # Who opens the first page of rules, or of a project with a profile, would wait for it.
        threading.Thread(target=work.checklist, args=("",), name="tfhealth-rules", daemon=True).start()
        with Rooms(settings.workers, settings.seconds, settings.megabytes) as rooms:
            queue = queue_for(Means(settings, database, rooms))
            watch, writers = Watch(database), CapacityLimiter(settings.workers)
            app.state.service = Service(settings, database, rooms, queue, watch, writers)
            folder = FolderWatch(database, settings.folder, queue.wake) if settings.folder else None
            yield
            await watch.close()
            if folder is not None:
                folder.close()
            queue.close()
        database.close()

    app = FastAPI(
        title="tfhealth",
        version=__version__,
        lifespan=lifespan,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # its scripts come from elsewhere
        redoc_url=None,
    )
    openapi.describe(app)
    problems.handle(app)
    failures.install(app)
    app.add_middleware(Gate, settings=settings)
    app.add_middleware(Answers, settings=settings)  # around the other one
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))
    return app


ROUTERS = (
    *(one.router for one in (api_projects, api_runs, api_rejudging, api_tokens, api_webhooks, health)),
    *(one.router for one in (login, projects, page_runs, run, events, compare, rules, trend, rejudge)),
    *(one.router for one in (page_settings, page_webhooks, styles)),
)
"""Everything that answers."""
