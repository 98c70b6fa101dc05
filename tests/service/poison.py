"""Work that goes wrong in every way, to be done in a process apart."""

from __future__ import annotations

import os
import signal

from tfhealth.errors import Fault, RuleError


def endless() -> None:
    """Never come back."""
    while True:
        pass


def hungry() -> None:
    """Take all memory there is."""
    hoard = []
    while True:
        hoard.append(bytearray(10**8))


def dies() -> None:
    """Be killed from outside, as by a system that is short of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def leaves() -> None:
    """End the process."""
    os._exit(3)


def unspeakable() -> None:
    """Raise what cannot cross to another process."""
    raise RuleError([Fault("rules.yaml", 1, 2, "a.b", "is wrong")])
