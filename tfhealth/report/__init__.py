"""(Result, Run, Checklist) -> result.json, report.html and others in a folder, each written whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tfhealth.report.writing import Written, chosen, write_all

if TYPE_CHECKING:
    from tfhealth.result import Result
    from tfhealth.rules.checklist import Checklist
    from tfhealth.run import Run

__all__ = ["Written", "parse_formats", "write_report"]


def write_report(
    result: Result,
    run: Run,
    checklist: Checklist,
    folder: Path | str,
    formats: Sequence[str] = ("json", "html", "pdf"),
) -> Written:
    """Write the report on a run.

    Args:
        result: the verdict.
        run: the run that was judged.
        checklist: the rules that it was judged by.
        folder: where the files go; made where it is missing.
        formats: which files to write, names of `tfhealth.report.formats.FORMATS`.

    Returns:
        The files, and for each format that could not be written the reason.

    Raises:
        UsageError: an unknown format.
    """
    from tfhealth.report.formats import FORMATS, Source

    return write_all(Path(folder), formats, FORMATS, Source(result, run, checklist))


def parse_formats(formats: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names in `formats`, a list of them or one text with commas, each once.

    Raises:
        UsageError: an unknown format, or none at all.
    """
    from tfhealth.report.formats import FORMATS

    return chosen(formats, FORMATS)
