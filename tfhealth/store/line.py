"""Threads that want the same thing -> one after the other, in the order in which they came."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

__all__ = ["Line"]


class Line:
    """A lock that nobody gets before those who waited longer; Python's own may starve one while others go ahead."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._waiting: deque[Lock] = deque()
        self._taken = False

    @contextmanager
    def turn(self, seconds: float) -> Iterator[bool]:
        """Wait for one's turn; yield whether it came within so many seconds."""
        mine = self._waited(seconds)
        try:
            yield mine
        finally:
            if mine:
                self._leave()

    def _waited(self, seconds: float) -> bool:
        called = Lock()
        with self._guard:
            if not self._taken:
                self._taken = True
                return True
            called.acquire()
            self._waiting.append(called)
        if called.acquire(timeout=seconds):
            return True
        with self._guard:
            if called not in self._waiting:
                return True  # called at the last moment
            self._waiting.remove(called)
            return False

    def _leave(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False
