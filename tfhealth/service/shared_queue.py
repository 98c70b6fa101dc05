"""Tasks -> jobs of procrastinate, done by whichever process on the same PostgreSQL is free first."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector, exceptions
from procrastinate.connector import BaseConnector
from sqlalchemy import make_url, text
from sqlalchemy.orm import Session

from tfhealth.service.queue import closing
from tfhealth.service.sweeping import Sweeper
from tfhealth.service.tasks.kinds import due, perform
from tfhealth.service.tasks.task import Means, Task
from tfhealth.store.claims import Claims
from tfhealth.store.database import Database
from tfhealth.store.queue_schema import SCHEMA
from tfhealth.store.tables.base import now

__all__ = ["SharedQueue"]

_LOG = logging.getLogger(__name__)
_NAME = "tfhealth"
_PAUSE = 2.0  # seconds before a worker that lost the database tries again
_DEAD = 30  # seconds without a sign of life after which what a worker had begun is taken from it

# What a worker that died had begun; the tables say whether it is still due.
_LEFT = f"""
DELETE FROM {SCHEMA}.procrastinate_jobs AS job WHERE status = 'doing' AND NOT EXISTS (
  SELECT 1 FROM {SCHEMA}.procrastinate_workers AS worker
  WHERE worker.id = job.worker_id AND worker.last_heartbeat > now() - make_interval(secs => {_DEAD}))
"""  # noqa: S608 - our own name
_WAITING = f"SELECT queueing_lock FROM {SCHEMA}.procrastinate_jobs WHERE status = 'todo'"  # noqa: S608 - our own name


class SharedQueue:
    """Jobs in PostgreSQL. This process does some of them, unless its settings say that it does not work.

    Args:
        means: what work is done with; the tables are up to date.
    """

    def __init__(self, means: Means) -> None:
        self._means, self._claims = means, Claims(means.database)
        self._app = App(
            connector=SyncPsycopgConnector(**_connection(means.database), min_size=1, max_size=4, timeout=5)
        )
        self._app.open()
        self._sweeper: Sweeper | None = None
        if means.settings.works:
            self._most = means.settings.workers + 2
            self._stopped, self._ending = threading.Event(), asyncio.Event()
            self._loop = asyncio.new_event_loop()
            self._loop.set_default_executor(ThreadPoolExecutor(self._most, thread_name_prefix="tfhealth-work"))
            self._worker = threading.Thread(target=self._work, name="tfhealth-worker", daemon=True)
            self._worker.start()
            self._sweeper = Sweeper(self._sweep)

    def defer(self, task: Task) -> None:
        """Write a job, unless one for the same waits; where that fails, the next sweep of any worker finds it."""
        lock = f"{task.kind}-{task.key}"
        job = self._app.configure_task(_NAME, queue=_NAME, queueing_lock=lock)
        try:
            job.defer(kind=task.kind, key=task.key)
        except exceptions.AlreadyEnqueued:
            return
        except (exceptions.ConnectorException, psycopg.Error):
            _LOG.exception("background work: %s could not be asked for; it is found by a sweep", lock)

    def wake(self) -> None:
        """Look for what is due now, if this process works."""
        if self._sweeper is not None:
            self._sweeper.wake()

    def alive(self) -> bool:
        """Tell whether it goes on, if this process works."""
        return self._sweeper is None or (self._sweeper.alive() and self._worker.is_alive())

    def _sweep(self) -> None:
        self._claims.renew()
        with self._means.database.writing() as session:
            session.execute(text(f"SET LOCAL search_path TO {SCHEMA}"))  # its triggers name no schema
            session.execute(text(_LEFT))
        with self._means.database.reading() as session:
            found = self._forgotten(session)
        for task in found:
            self.defer(task)

    def _forgotten(self, session: Session) -> list[Task]:
        """Return what is due and waits in no job, a few at a time: others may become urgent meanwhile."""
        waiting = set(session.scalars(text(_WAITING)))
        if len(waiting) >= 2 * self._most:
            return []
        found = due(session, now(), 4 * self._most)
        return [task for task in found if f"{task.kind}-{task.key}" not in waiting]

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        while not self._stopped.is_set():
            try:
                self._loop.run_until_complete(self._serve())
            except Exception:  # a database that is being restarted
                _LOG.exception("background work: the queue was lost; trying again")
            self._stopped.wait(_PAUSE)
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    async def _serve(self) -> None:
        """Do jobs until the service stops or the database goes."""
        connector = PsycopgConnector(**_connection(self._means.database), min_size=1, max_size=self._most + 2)
        app = _app(connector, self._one)
        async with app.open_async():
            worker = asyncio.ensure_future(
                app.run_worker_async(
                    queues=[_NAME], concurrency=self._most, install_signal_handlers=False, delete_jobs="always"
                )
            )
            ending = asyncio.ensure_future(self._ending.wait())
            await asyncio.wait({worker, ending}, return_when=asyncio.FIRST_COMPLETED)
            worker.cancel()  # which lets it end what it has begun
            ending.cancel()
            await asyncio.gather(worker, ending, return_exceptions=True)

    def _one(self, kind: str, key: int) -> None:
        perform(self._means, self._claims, Task(kind, key))
        self.wake()

    def close(self) -> None:
        """Stop; what is being done has a few seconds, and what is not done by then is found again."""
        if self._sweeper is not None:
            self._sweeper.stop()
            self._stopped.set()
            self._loop.call_soon_threadsafe(self._ending.set)
            closing(self._means, self._worker.join)
        self._app.close()


def _app(connector: BaseConnector, perform: Callable[[str, int], None]) -> App:
    app = App(connector=connector)
    app.task(name=_NAME, queue=_NAME)(perform)
    return app


def _connection(database: Database) -> dict[str, Any]:
    url = make_url(database.url).set(drivername="postgresql")
    return {
        "conninfo": url.render_as_string(hide_password=False),
        "kwargs": {"options": f"-c search_path={SCHEMA}"},
    }
