"""A function -> called again and again in a thread, at once when it is woken, and whatever it raises."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

__all__ = ["Sweeper"]

_LOG = logging.getLogger(__name__)
_EVERY = 2.0  # seconds after which it looks unasked: what rests or is in doubt becomes due by itself


class Sweeper:
    """A thread that looks for something to do.

    Args:
        sweep: looks once.
        every: seconds between two looks that nobody asked for.
    """

    def __init__(self, sweep: Callable[[], None], every: float = _EVERY) -> None:
        self._sweep, self._every = sweep, every
        self._woken, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="tfhealth-sweep", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look now."""
        self._woken.set()

    def alive(self) -> bool:
        """Tell whether it goes on."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Look no more; returns when the last look is over."""
        self._stopped.set()
        self._woken.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stopped.is_set():
            self._woken.clear()
            try:
                self._sweep()
            except Exception:  # a database that is being restarted
                _LOG.exception("background work: could not look for what is due; trying again")
                self._stopped.wait(self._every)
            if not self._stopped.is_set():
                self._woken.wait(self._every)
