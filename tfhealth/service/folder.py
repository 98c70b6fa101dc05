"""A folder of runs -> looked through again and again while the service runs, so that its list is true."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from tfhealth.errors import UsageError
from tfhealth.service.sweeping import Sweeper
from tfhealth.store.database import Database
from tfhealth.store.folders import FolderIndex

__all__ = ["FolderWatch"]

_LOG = logging.getLogger(__name__)
_EVERY = 3.0  # seconds
_SHARE = 10  # a look may take this part of the time, so that a large folder is looked through less often


class FolderWatch:
    """A thread that looks through a folder.

    Args:
        database: where its runs are listed.
        folder: the folder.
        told: called when something changed.

    Raises:
        UsageError: there is no such folder.
    """

    def __init__(self, database: Database, folder: Path, told: Callable[[], None]) -> None:
        if not folder.is_dir():
            raise UsageError(f"{folder}: no such folder.")
        self._index, self._folder, self._told = FolderIndex(database, folder), folder, told
        self._rest_until = 0.0
        self._sweeper = Sweeper(self._look, _EVERY)

    def _look(self) -> None:
        began = time.monotonic()
        if began < self._rest_until:
            return
        if changed := self._index.update():
            _LOG.info("%s: %d runs are new, changed or gone", self._folder, changed)
            self._told()
        self._rest_until = time.monotonic() + (_SHARE - 1) * (time.monotonic() - began)

    def close(self) -> None:
        """Look no more."""
        self._sweeper.stop()
