"""Who does background work, and when: threads of this process, or whoever is connected to the same PostgreSQL."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from tfhealth.service.rooms import Rooms
from tfhealth.service.tasks.kinds import due, perform
from tfhealth.service.tasks.task import Means, Task
from tfhealth.store.database import Database
from tfhealth.store.tables.base import now

__all__ = ["LocalQueue", "Queue"]

_LOG = logging.getLogger(__name__)
_EVERY = 2.0  # seconds after which it looks unasked: what rests or is in doubt becomes due by itself


class Queue(Protocol):
    """Is told what there is to do."""

    def defer(self, task: Task) -> None:
        """Ask for something to be done soon, once, however often it is asked for before it begins."""

    def alive(self) -> bool:
        """Tell whether it goes on."""

    def close(self) -> None:
        """Stop, after what is being done."""


class LocalQueue:
    """Threads of this process.

    Args:
        database: where it stands what is due.
        rooms: processes for the work itself.
        workers: how many things at once.
    """

    def __init__(self, database: Database, rooms: Rooms, workers: int) -> None:
        self._means = Means(database, rooms, self.defer)
        self._workers = workers
        self._woken, self._closed = threading.Event(), threading.Event()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="tfhealth-work")
        self._thread = threading.Thread(target=self._work, name="tfhealth-queue", daemon=True)
        self._thread.start()

    def defer(self, task: Task) -> None:
        """Look for what is due now; a task is found there again."""
        self._woken.set()

    def _work(self) -> None:
        while not self._closed.is_set():
            self._woken.clear()
            if not self._sweep():
                self._woken.wait(_EVERY)

    def _sweep(self) -> bool:
        """Do what is due; return whether there was anything."""
        try:
            with self._means.database.reading() as session:
                tasks = due(session, now(), 4 * self._workers)
        except Exception:  # a database that is being restarted
            _LOG.exception("background work: the database cannot be asked; trying again")
            self._closed.wait(_EVERY)
            return False
        list(self._pool.map(self._one, tasks))
        return bool(tasks)

    def _one(self, task: Task) -> None:
        if self._closed.is_set():
            return
        try:
            perform(self._means, task)
        except Exception:
            _LOG.exception("background work: %s %s failed; it is tried again", task.kind, task.key)
            self._closed.wait(_EVERY)

    def alive(self) -> bool:
        """Tell whether it goes on."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop, after what is being done."""
        self._closed.set()
        self._woken.set()
        self._thread.join()
        self._pool.shutdown()
