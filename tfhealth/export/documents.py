"""(Judged, Checklist) -> what every tool gets: the report's files, and the verdict as a few short entries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tfhealth.comparison import Judged
from tfhealth.report import write_report
from tfhealth.rules.checklist import Checklist

__all__ = ["files", "logged", "verdict"]


@contextmanager
def files(judged: Judged, checklist: Checklist) -> Iterator[list[Path]]:
    """Hold the report's files in a temporary folder; the PDF is left out where it cannot be made."""
    with TemporaryDirectory() as folder:
        written = write_report(judged.result, judged.run, checklist, folder)
        yield list(written.paths.values())


def verdict(judged: Judged) -> dict[str, str]:
    """Return the verdict as {name: short text}."""
    result = judged.result
    lead = result.findings[0] if result.findings else None
    return {
        "tfhealth.verdict": result.verdict,
        "tfhealth.sentence": result.sentence[:500],
        "tfhealth.leading_rule": lead.rule if lead else "",
        "tfhealth.leading_row": lead.checklist if lead else "",
        "tfhealth.findings": str(len(result.findings)),
        "tfhealth.version": result.tfhealth,
    }


def logged(judged: Judged) -> Iterator[tuple[str, int, float]]:
    """Yield (name, step, value) of everything that Keras logged, name by name."""
    for site, series in judged.run.logs.items():
        for step, value in zip(series.steps.tolist(), series.values.tolist(), strict=True):
            yield site.name, step, value
