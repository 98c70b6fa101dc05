"""Comparison -> compare.html, compare.pdf and others in a folder, each written whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tfhealth.report.writing import Written, write_all

if TYPE_CHECKING:
    from tfhealth.comparison import Comparison

__all__ = ["write_comparison"]


def write_comparison(
    comparison: Comparison, folder: Path | str, formats: Sequence[str] = ("html", "pdf", "json")
) -> Written:
    """Write what differs between two runs.

    Args:
        comparison: from `tfhealth.comparison`.
        folder: where the files go; made where it is missing.
        formats: which files to write, names of `tfhealth.report.comparison.formats.FORMATS`.

    Raises:
        UsageError: an unknown format.
    """
    from tfhealth.report.comparison.formats import FORMATS, Source

    return write_all(Path(folder), formats, FORMATS, Source(comparison))
