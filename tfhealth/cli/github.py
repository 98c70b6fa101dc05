"""Results -> what a job of GitHub Actions shows: annotations, and the summary of the job."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from tfhealth.result import Result

__all__ = ["tell_github"]


def tell_github(results: Sequence[Result], stream: TextIO | None = None) -> None:
    """Print annotations where GITHUB_ACTIONS is "true"; append Markdown to GITHUB_STEP_SUMMARY where that is set.

    Args:
        results: the verdicts.
        stream: where annotations go, None: nowhere. GitHub reads standard output and standard error alike.
    """
    from tfhealth.report.github import workflow_commands
    from tfhealth.report.pull_request import pull_request

    if stream is not None and os.environ.get("GITHUB_ACTIONS") == "true":
        for command in workflow_commands(results):
            print(command, file=stream)
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary and results:
        try:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(f"{pull_request(results)}\n")
        except OSError as error:  # a verdict must not depend on where it is shown
            print(f"tfhealth: the summary of the job was not written: {error}", file=sys.stderr)
