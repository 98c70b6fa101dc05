"""A run that goes on -> its report.html, written anew by another process, at most every so many seconds.

`python -m tfhealth.report.live FOLDER` reads what rules and profile are in force, as JSON, from standard input.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["Live"]

_LAST_WAIT = 20.0  # seconds that the last report may keep waiting for one that is being written


class Live:
    """Keeps the report of a running fit fresh, without taking a step's time: drawing needs whole seconds of CPU.

    Args:
        folder: the run directory.
        seconds: at least as long lies between two beginnings.
        rules, profile: as `load_checklist` takes them.
    """

    def __init__(
        self,
        folder: Path,
        seconds: float,
        rules: str | os.PathLike[str] | None,
        profile: str | os.PathLike[str] | Mapping[str, Any] | None,
    ) -> None:
        self.folder, self.seconds = folder, seconds
        named = profile if isinstance(profile, Mapping) or profile is None else os.fspath(profile)
        asked = {"rules": None if rules is None else os.fspath(rules), "profile": named}
        self._asked = json.dumps(asked, default=str).encode()  # a profile in Python may hold dates
        self._child: subprocess.Popen[bytes] | None = None
        self._began = time.monotonic()

    def refresh(self) -> None:
        """Begin to write the report anew, unless it is too early or the one before is still being written."""
        now = time.monotonic()
        if now - self._began < self.seconds or (self._child is not None and self._child.poll() is None):
            return
        self._began = now
        self._child = subprocess.Popen(  # noqa: S603 - our own module, and a folder of ours
            [sys.executable, "-m", "tfhealth.report.live", str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is meant for the training
        )
        assert self._child.stdin is not None
        with suppress(BrokenPipeError):
            self._child.stdin.write(self._asked)
            self._child.stdin.close()

    def stop(self) -> None:
        """Let a report that is being written end, so that it cannot take the place of the last one."""
        if self._child is None:
            return
        try:
            self._child.wait(_LAST_WAIT)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child = None


def main(folder: str) -> None:
    """Write report.html of the run in `folder` as it is now."""
    from tfhealth.diagnosis import evaluate
    from tfhealth.loading import load
    from tfhealth.report import write_report
    from tfhealth.rules import load_checklist

    if hasattr(os, "nice"):
        os.nice(10)  # the training comes first
    asked = json.load(sys.stdin)
    checklist, run = load_checklist(asked["rules"], asked["profile"]), load(folder)
    write_report(evaluate(checklist, run), run, checklist, folder, "html")


if __name__ == "__main__":
    main(sys.argv[1])
