"""A run that is being recorded -> the server has it too, a moment later; whoever records never waits."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from tfhealth.client.api import Client, ServerError
from tfhealth.client.push import CONFLICT, Name, pause, taken
from tfhealth.database import DATABASE
from tfhealth.destination import Destination
from tfhealth.errors import Error
from tfhealth.recorder import Recorder
from tfhealth.wire.delta import Held
from tfhealth.wire.outgoing import Outgoing, identity

__all__ = ["Sender"]

_REST = 1.0  # seconds between two looks at a run that grows
_SHARE = 0.02  # of one processor that reading and packing may take from the training
_ANSWER = 20.0  # seconds to wait for an answer
_AFTERWARDS = 5.0  # seconds that the end of a fit may wait for what is not sent yet


class Sender:
    """Sends one run from a thread of its own; the run's file is what waits while the server is away.

    The file is read through connections that are open for a moment only: nobody who writes there waits for a network.

    Args:
        recorder: writes the run.
        to: where it is sent.

    Attributes:
        address: of the page that shows the run; empty until the server was reached.
        trouble: what went wrong the last time; empty where nothing did.
        refused: whether the server will not take the run, however often it is asked.
        complete: whether the server has everything that was there at the end.
    """

    def __init__(self, recorder: Recorder, to: Destination) -> None:
        self.server = to.server
        self.address = self.trouble = ""
        self.refused = self.complete = False
        self._recorder, self._to = recorder, to
        self._outgoing = Outgoing()
        self._run: Name | None = None
        self._held: Held | None = None
        self._failures = 0
        self._woken, self._ending = threading.Event(), threading.Event()
        self._reading, self._over = threading.Lock(), False
        self._process = os.getpid()
        self._thread = threading.Thread(target=self._work, name="tfhealth-live", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Say that there is something new; returns at once."""
        if self._process == os.getpid():  # a fork has no such thread, and perhaps a lock that nobody will open
            self._woken.set()

    def finish(self, seconds: float = _AFTERWARDS) -> None:
        """Send what is left, and wait for that; afterwards the run is not read any more.

        A server that could not be reached before is asked once more.

        Args:
            seconds: how long to wait at most.
        """
        if self._process != os.getpid():
            return
        self._ending.set()
        self._woken.set()
        self._thread.join(seconds)
        with self._reading:
            self._over = True

    def _work(self) -> None:
        try:
            with Client(self._to.server, self._to.token, _ANSWER) as client:
                while self._one_turn(client):
                    pass
        except Exception as error:  # whatever it is, it must not reach the training
            self.refused = True
            self.trouble = str(error) if isinstance(error, Error) else f"{type(error).__name__}: {error}"

    def _one_turn(self, client: Client) -> bool:
        """Wait until there is something to do, and do a part of it; return whether there may be more."""
        self._woken.wait()
        self._woken.clear()
        ending = self._ending.is_set()  # asked before the run is read: whoever ends it has written everything
        began = time.thread_time()
        try:
            more = self._send(client)
        except _OverError:
            return False
        except (ServerError, sqlite3.Error) as error:
            rest = self._failed(error)
            given_up = ending and self._failures > 1
        else:
            self.trouble, self._failures = "", 0
            self.complete = given_up = ending and not more
            used = (time.thread_time() - began) / _SHARE
            rest = used if more else max(_REST, used)
            if more:
                self._woken.set()
        if not given_up:
            self._rest(rest)
        return not given_up

    def _rest(self, seconds: float) -> None:
        """Leave the processor and the server alone; at the end there is time for that only where something failed."""
        if not self._ending.is_set():
            self._ending.wait(seconds)
        elif self._failures:
            time.sleep(min(seconds, _REST))

    def _send(self, client: Client) -> bool:
        """Send the next delta; return whether there was one."""
        if self._run is None:
            project = self._to.project or client.whoami().project
            with self._connection() as connection:
                self._run = project, identity(connection)
            self.address = client.address(*self._run)
        if self._held is None:
            self._held = client.held(*self._run)
        with self._connection() as connection:
            delta = self._outgoing.delta(connection, self._held)
        if delta is None:
            return False
        self._held = taken(self._held, client.put(*self._run, delta))
        return True

    def _failed(self, error: ServerError | sqlite3.Error) -> float:
        """Take note of what may succeed later; return for how many seconds to rest.

        Raises:
            ServerError: nothing is to be hoped for.
        """
        self.trouble, self._failures = str(error), self._failures + 1
        self._woken.set()
        self._held = None  # an answer that was lost may have been a yes
        if isinstance(error, sqlite3.Error):
            return _REST
        if not error.again and error.status != CONFLICT:
            raise error
        return pause(error, self._failures - 1)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Open the run for a moment.

        SQLite alone may open the file while it is being written in this process: when anything else closes it, the
        system takes away the locks that SQLite holds.
        """
        with self._reading, ExitStack() as stack:
            if self._over:
                raise _OverError
            if self._recorder.in_memory or self._recorder.folder is None:
                yield stack.enter_context(self._recorder.lent())
                return
            file = (self._recorder.folder / DATABASE).absolute().as_uri()
            yield stack.enter_context(closing(sqlite3.connect(f"{file}?mode=ro", uri=True)))


class _OverError(Exception):
    """Whoever records does not want the run to be read any more."""
