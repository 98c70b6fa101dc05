"""Work on a run that nobody vouches for -> done in a process of its own, with an end in time and memory."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeout
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from pebble import ProcessExpired, ProcessPool

from tfhealth.errors import Error

__all__ = ["RoomError", "Rooms"]

P = ParamSpec("P")
T = TypeVar("T")
_TASKS = 200  # after which a process is replaced, so that nothing adds up in it


class RoomError(Error):
    """Work that took too long or too much memory, or whose process died."""


class Rooms:
    """Processes that do one thing after another, each thing within limits.

    Args:
        processes: how many things at once.
        seconds: how long one may take.
        megabytes: how much memory one may take.
    """

    def __init__(self, processes: int, seconds: float, megabytes: int) -> None:
        self._seconds, self._megabytes = seconds, megabytes
        self._pool = ProcessPool(
            max_workers=processes,
            max_tasks=_TASKS,
            initializer=_confine,
            initargs=(megabytes,),
            context=multiprocessing.get_context("spawn"),  # a fork would take the server's sockets and locks along
        )
        self._closed = threading.Event()

    def do(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what a function of a module, which a new process can import, returns.

        Raises:
            RoomError: it took too much, or its process died.
            Error: what the function itself raised.
        """
        try:
            done = self._pool.schedule(work, args=list(args), kwargs=dict(kwargs), timeout=self._seconds)
            return done.result()
        except FutureTimeout:
            raise RoomError(f"took longer than {self._seconds:g} s") from None
        except ProcessExpired:
            raise RoomError("its process died") from None
        except MemoryError:
            raise RoomError(f"took more than {self._megabytes} MB") from None

    def close(self) -> None:
        """End all work."""
        if not self._closed.is_set():
            self._closed.set()
            self._pool.stop()
            self._pool.join()

    def __enter__(self) -> Rooms:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _confine(megabytes: int) -> Any:
    """Limit the memory of the process that this is, where the system can."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    most = megabytes * 1_000_000
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
