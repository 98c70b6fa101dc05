"""Settings -> the service as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from tfhealth import __version__
from tfhealth.service import failures
from tfhealth.service.api import rejudging as api_rejudging
from tfhealth.service.api import runs as api_runs
from tfhealth.service.api import webhooks as api_webhooks
from tfhealth.service.folder import FolderWatch
from tfhealth.service.pages import rejudge as page_rejudge
from tfhealth.service.pages import runs as page_runs
from tfhealth.service.pages import styles
from tfhealth.service.pages import webhooks as page_webhooks
from tfhealth.service.queue import queue_for
from tfhealth.service.rooms import Rooms
from tfhealth.service.settings import Settings
from tfhealth.service.state import Service
from tfhealth.service.tasks.task import Means
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
        with Rooms(settings.workers, settings.seconds, settings.megabytes) as rooms:
            queue = queue_for(Means(settings, database, rooms))
            app.state.service = Service(settings, database, rooms, queue)
            folder = FolderWatch(database, settings.folder, queue.wake) if settings.folder else None
            yield
            if folder is not None:
                folder.close()
            queue.close()
        database.close()

    app = FastAPI(title="tfhealth", version=__version__, lifespan=lifespan)
    failures.install(app)
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))
    return app


ROUTERS = (
    api_runs.router,
    api_rejudging.router,
    api_webhooks.router,
    page_runs.router,
    page_rejudge.router,
    page_webhooks.router,
    styles.router,
)
"""Everything that answers."""
