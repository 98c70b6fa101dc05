"""Settings -> who does background work: threads of this process, or whoever is connected to the same PostgreSQL."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from tfhealth.service.sweeping import Sweeper
from tfhealth.service.tasks.kinds import due, perform
from tfhealth.service.tasks.task import Means, Task
from tfhealth.store.claims import Claims
from tfhealth.store.tables.base import now

__all__ = ["IdleQueue", "LocalQueue", "Queue", "closing", "queue_for"]

_LOG = logging.getLogger(__name__)
_PAUSE = 2.0  # seconds in which nothing is begun after the database failed
_GRACE = 5.0  # seconds for what is being done when the service stops; what takes longer is done again later


class Queue(Protocol):
    """Is told what there is to do."""

    def defer(self, task: Task) -> None:
        """Ask for something to be done soon, once, however often it is asked for before it begins."""

    def wake(self) -> None:
        """Look for what is due; somebody else than a request made it so."""

    def alive(self) -> bool:
        """Tell whether it goes on."""

    def close(self) -> None:
        """Stop; what is being done has a few seconds, and what is not done by then is found again."""


def queue_for(means: Means) -> Queue:
    """Return the queue of a service, which works already."""
    if means.database.is_sqlite:
        return LocalQueue(means) if means.settings.works else IdleQueue()
    from tfhealth.service.shared_queue import SharedQueue

    return SharedQueue(means)


class IdleQueue:
    """Nobody of this process; whoever works on the same file finds what is due there."""

    def defer(self, task: Task) -> None:
        """Do nothing."""

    def wake(self) -> None:
        """Do nothing."""

    def alive(self) -> bool:
        """Tell that nothing is wrong."""
        return True

    def close(self) -> None:
        """Do nothing."""


class LocalQueue:
    """Threads of this process.

    Args:
        means: what work is done with.
    """

    def __init__(self, means: Means) -> None:
        self._means, self._claims = means, Claims(means.database)
        self._most = means.settings.workers + 2  # what waits for another machine must not keep a process waiting
        self._active: set[Task] = set()
        self._lock, self._stopped = threading.Lock(), threading.Event()
        self._pool = ThreadPoolExecutor(self._most, thread_name_prefix="tfhealth-work")
        self._sweeper = Sweeper(self._sweep)

    def defer(self, task: Task) -> None:
        """Look for what is due now; a task is found there again."""
        self.wake()

    def wake(self) -> None:
        """Look for what is due now."""
        self._sweeper.wake()

    def alive(self) -> bool:
        """Tell whether it goes on."""
        return self._sweeper.alive()

    def _sweep(self) -> None:
        with self._lock:
            active = set(self._active)
        if active:
            self._claims.renew()
        free = self._most - len(active)
        if not free:
            return
        with self._means.database.reading() as session:
            found = [task for task in due(session, now(), self._most + len(active)) if task not in active]
        for task in found[:free]:
            with self._lock:
                self._active.add(task)
            self._pool.submit(self._one, task)

    def _one(self, task: Task) -> None:
        try:
            perform(self._means, self._claims, task)
        except Exception:
            _LOG.exception("background work: %s %s could not be begun or ended", task.kind, task.key)
            self._stopped.wait(_PAUSE)
        finally:
            with self._lock:
                self._active.discard(task)
            self._sweeper.wake()

    def close(self) -> None:
        """Stop; what is being done has a few seconds, and what is not done by then is found again."""
        self._stopped.set()
        self._sweeper.stop()
        closing(self._means, lambda: self._pool.shutdown(wait=True, cancel_futures=True))


def closing(means: Means, stop: Callable[[], None]) -> None:
    """Stop what waits for its work; after a few seconds the processes are ended, and with them the work."""
    ending = threading.Timer(_GRACE, means.rooms.close)
    ending.start()
    stop()
    ending.cancel()
    ending.join()
