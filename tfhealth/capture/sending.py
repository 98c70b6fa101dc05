"""A fit that is watched and a server -> the run is sent as it grows, and the user is told what is missing there."""

from __future__ import annotations

import shlex

from tfhealth.capture.session import Session
from tfhealth.client.live import Sender
from tfhealth.destination import Destination
from tfhealth.report.inert import inert

__all__ = ["Sending"]


class Sending:
    """What is sent of one fit, beside it; the fit never waits for a server before its end.

    Args:
        session: the fit.
        to: the server.
        verbose: whether to print where the run is; what goes wrong is said in any case.
    """

    def __init__(self, session: Session, to: Destination, verbose: bool) -> None:
        self._journal, self._verbose = session.journal, verbose
        self._sender = Sender(session.recorder, to)
        self._said = False
        self._tell(f"tfhealth: what is recorded of this fit is sent to {to.server}")

    def wake(self) -> None:
        """Say that something was recorded."""
        self._sender.wake()

    def epoch_end(self) -> None:
        """Say that an epoch was recorded; tell once where the run is shown, or that it will not be."""
        self._sender.wake()
        if self._said:
            return
        if self._sender.refused:
            self._journal.warn("server", f"this fit is not sent: {self._sender.trouble}")
        elif self._sender.address:
            self._tell(f"\ntfhealth: {self._sender.address}")
        self._said = self._sender.refused or bool(self._sender.address)

    def close(self) -> None:
        """Send what is left, wait a few seconds for it, and tell what is missing then."""
        sender, folder = self._sender, self._journal.recorder.folder
        sender.finish()
        if sender.complete:
            self._tell(f"  {sender.address}")
            return
        if self._journal.recorder.in_memory or folder is None:
            rest = "the rest is lost, since the run could not be kept on disk"
        else:
            rest = f"`tfhealth push {shlex.quote(str(folder))}` sends the rest"
        why = sender.trouble or "there was too much of it for the last seconds"
        what = f"not everything was sent to {sender.server} ({why}); {rest}"
        if self._verbose:
            self._tell(f"  {what}")
        else:
            self._journal.warn("sending", what)

    def _tell(self, line: str) -> None:
        if self._verbose:
            print(inert(line), flush=True)
