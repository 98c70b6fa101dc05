"""A stored run and its project's profile -> the verdict, and what lists and pictures show of it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from tfhealth import __version__
from tfhealth.result import Result
from tfhealth.run import Run
from tfhealth.series import Series
from tfhealth.store.receiving import packed
from tfhealth.store.tables import FoundRule, Judgement, StoredRun
from tfhealth.store.tables.base import now

__all__ = ["BATCH_LOSS", "DOUBT", "Judged", "curves", "judge_name", "keep"]

BATCH_LOSS = "loss of each probed batch"
"""The name of the curve that Keras does not log."""

DOUBT = timedelta(minutes=10)
"""Before what could not be judged or written is tried again."""

_POINTS = 200


@dataclass(frozen=True)
class Judged:
    """What was judged of a run, ready to be kept.

    Attributes:
        revision: the run's, of which it was judged.
        by: what judged, as `judge_name` says.
        result: the verdict.
        curves: {log: [[step, value], …]} for a picture; a value is null where it is not finite.
    """

    revision: int
    by: str
    result: Result
    curves: Mapping[str, list[list[float | None]]]


def judge_name(profile: str) -> str:
    """Return what tells judges apart: a profile's text and the version of tfhealth, 64 hexadecimal digits."""
    return hashlib.sha256(f"{__version__}\n{profile}".encode()).hexdigest()


def curves(run: Run) -> dict[str, list[list[float | None]]]:
    """Return the epoch logs of a run and the loss of its probed batches, thinned to what a picture can show."""
    batches = next((panel for kind in ("data", "total") if len(panel := run.panel("loss", kind))), None)
    found = {BATCH_LOSS: _thinned(batches.series()[0][1])} if batches is not None else {}
    return found | {site.name: _thinned(series) for site, series in run.logs.items()}


def _thinned(series: Series) -> list[list[float | None]]:
    every = max(1, math.ceil(len(series.steps) / _POINTS))
    points = zip(series.steps[::-1][::every][::-1], series.values[::-1][::every][::-1], strict=True)  # the last stays
    return [[int(step), float(value) if math.isfinite(value) else None] for step, value in points]


def keep(session: Session, stored: StoredRun, judged: Judged) -> None:
    """Keep a verdict in place of the one before; a newer one stands."""
    if stored.judged_by == judged.by and (stored.judged_revision or 0) > judged.revision:
        return
    result = judged.result
    session.merge(
        Judgement(
            run_key=stored.key,
            result=packed(result.model_dump(mode="json")),
            curves=packed(judged.curves),
            made=now(),
        )
    )
    session.execute(delete(FoundRule).where(FoundRule.run_key == stored.key))
    session.add_all(_found(stored.key, result))
    leading = result.findings[0] if result.findings else None
    stored.judged_revision, stored.judged_by, stored.verdict = judged.revision, judged.by, result.verdict
    stored.cause, stored.cause_title = (leading.rule, leading.title) if leading else ("", "")
    stored.steps = max(stored.steps, result.run.steps)
    stored.trouble, stored.doubtful_until = "", None
    stored.changed = now()


def _found(key: int, result: Result) -> list[FoundRule]:
    titles = {finding.rule: finding.title for finding in result.findings}
    return [
        FoundRule(run_key=key, rule=rule, title=title, leading=place == 0)
        for place, (rule, title) in enumerate(titles.items())
    ]
