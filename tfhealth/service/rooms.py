"""Work on a run that nobody vouches for -> done in a process of its own, with an end in time and memory."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from queue import LifoQueue
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast

from pebble import ProcessExpired, ProcessPool
from sqlalchemy.exc import InterfaceError, OperationalError

from tfhealth.errors import Error

__all__ = ["RoomAwayError", "RoomError", "Rooms"]

P = ParamSpec("P")
T = TypeVar("T")
_TASKS = 200  # after which a process is replaced, so that nothing adds up in it


class RoomError(Error):
    """Work that failed, took too long or too much memory, or whose process died: what it was about is to blame."""


class RoomAwayError(Error):
    """Work that was broken off because the service stops or the database is away; it may succeed later."""


class Rooms:
    """Processes that do one thing after another, each thing within limits.

    Each is a pool of its own: a pool of several breaks as a whole where one process dies at the wrong moment.

    Args:
        processes: how many things at once.
        seconds: how long one may take.
        megabytes: how much memory one may take.
    """

    def __init__(self, processes: int, seconds: float, megabytes: int) -> None:
        self._seconds, self._megabytes = seconds, megabytes
        self._free: LifoQueue[ProcessPool | None] = LifoQueue()  # the last one used is warm
        self._lock, self._closed = threading.Lock(), threading.Event()
        self._pools = {self._new() for _ in range(processes)}
        for pool in self._pools:
            self._free.put(pool)
        self._running: set[Future[Any]] = set()

    def do(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what a function of a module, which a new process can import, returns.

        Raises:
            RoomError: it failed, took too much, or its process died.
            RoomAwayError: the rooms were closed, or the database went away.
        """
        pool = self._free.get()
        if pool is None or self._closed.is_set():
            self._free.put(None)  # for whoever waits too
            raise RoomAwayError("the service stops")
        pool = self._sound(pool)
        try:
            return cast(T, self._result(pool, (work, args, kwargs)))
        finally:
            self._free.put(pool)

    def _result(self, pool: ProcessPool, what: Sequence[Any]) -> object:
        done: Future[Any] = pool.schedule(_inside, args=what, timeout=self._seconds)
        with self._lock:
            self._running.add(done)
            if self._closed.is_set():
                done.cancel()
        try:
            return done.result()
        except FutureTimeout:
            raise RoomError(f"took longer than {self._seconds:g} s") from None
        except MemoryError:
            raise RoomError(f"took more than {self._megabytes} MB") from None
        except CancelledError:
            raise RoomAwayError("the service stops") from None
        except (ProcessExpired, BrokenProcessPool) as error:
            raise RoomError(f"its process died ({error})") from None
        finally:
            with self._lock:
                self._running.discard(done)

    def _new(self) -> ProcessPool:
        return ProcessPool(
            max_workers=1,
            max_tasks=_TASKS,
            initializer=_confine,
            initargs=(self._megabytes,),
            context=multiprocessing.get_context("spawn"),  # a fork would take the server's sockets and locks along
        )

    def _sound(self, pool: ProcessPool) -> ProcessPool:
        """Return the pool, or another one in the place of one that broke while nobody looked."""
        if pool.active:
            return pool
        fresh = self._new()
        with self._lock:
            self._pools = self._pools - {pool} | {fresh}
        pool.stop()
        pool.join()
        return fresh

    def close(self) -> None:
        """End all work."""
        with self._lock:
            self._closed.set()
            pools, self._pools = self._pools, set()
            for done in self._running:
                done.cancel()
        self._free.put(None)
        for pool in pools:
            pool.stop()
        for pool in pools:
            pool.join()

    def __enter__(self) -> Rooms:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _inside(work: Callable[..., T], args: Sequence[Any], kwargs: Mapping[str, Any]) -> T:
    """Do the work in its process. What it raises has to cross to another one, and many an error cannot."""
    try:
        return work(*args, **kwargs)
    except MemoryError:
        raise MemoryError from None
    except (OperationalError, InterfaceError) as error:
        raise RoomAwayError(f"the database is away: {error.orig}") from None
    except Error as error:
        raise RoomError(str(error)) from None
    except Exception as error:
        raise RoomError(f"{type(error).__name__}: {error}"[:1000]) from None


def _confine(megabytes: int) -> None:
    """Limit the memory of the process that this is, where the system can, and let it end with its parent."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        import resource
    except ImportError:  # not on Windows
        return
    most = megabytes * 1_000_000
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
