"""(Result, Run, Checklist) -> result.json, report.html and others in a folder, each written whole or not at all."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tfhealth.errors import UsageError, nearest
from tfhealth.result import Result
from tfhealth.rules.checklist import Checklist
from tfhealth.run import Run

__all__ = ["Written", "parse_formats", "write_report"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Written:
    """What `write_report` did.

    Attributes:
        paths: {format: file} for what was written.
        problems: {format: one line} for what was not, and what to do about it.
    """

    paths: dict[str, Path] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


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

    source = Source(result, run, checklist)
    written = Written()
    for name in parse_formats(formats):
        target = Path(folder) / FORMATS[name].file
        try:
            _replace(target, FORMATS[name].make(source))
            written.paths[name] = target
        except Exception as error:  # one format that fails must not cost the others
            _LOG.debug("%s not written", name, exc_info=True)
            written.problems[name] = f"{name.upper()} not written: {_reason(error)}"
    return written


def parse_formats(formats: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names in `formats`, a list of them or one text with commas, each once.

    Raises:
        UsageError: an unknown format, or none at all.
    """
    from tfhealth.report.formats import FORMATS

    listed = formats.split(",") if isinstance(formats, str) else formats
    names = dict.fromkeys(name.strip() for name in listed if name.strip())
    for name in names:
        if name not in FORMATS:
            raise UsageError(f"format {name!r} is unknown; legal: {', '.join(FORMATS)}{nearest(name, FORMATS)}")
    if not names:
        raise UsageError(f"no format is named; legal: {', '.join(FORMATS)}")
    return tuple(names)


def _reason(error: Exception) -> str:
    from tfhealth.report.pdf import PdfError

    text = str(error) if isinstance(error, PdfError | OSError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())


def _replace(target: Path, data: bytes) -> None:
    """Put `data` at `target` so that a reader sees the old file or the new one, never a part."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}-{uuid.uuid4().hex[:8]}")
    try:
        with part.open("xb") as file:
            file.write(data)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
