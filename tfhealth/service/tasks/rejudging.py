"""Judge a stored run by a profile that is tried, and write down what it would change."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import joinedload

from tfhealth.service import work
from tfhealth.service.rooms import RoomError
from tfhealth.service.tasks.task import Kind, Means
from tfhealth.store.judging import Judged
from tfhealth.store.receiving import packed
from tfhealth.store.tables import Rejudged, Rejudgement
from tfhealth.store.tables.base import now

__all__ = ["REJUDGE"]


def _due(at: datetime) -> Select[int]:
    return select(Rejudged.id).where(Rejudged.made.is_(None)).order_by(Rejudged.id)


def _perform(means: Means, key: int) -> None:
    with means.database.reading() as session:
        asked = session.get(Rejudged, key, options=[joinedload(Rejudged.rejudgement).load_only(Rejudgement.profile)])
    if asked is None:
        return
    judged: Judged | None = None
    trouble = ""
    try:
        judged = means.rooms.do(work.judge, means.database.url, asked.run_key, asked.rejudgement.profile)
    except RoomError as error:
        trouble = str(error)[:1000]
    with means.database.writing() as session:
        row = session.get(Rejudged, key, with_for_update=True)
        if row is not None:
            _keep(row, judged, trouble)


def _keep(row: Rejudged, judged: Judged | None, trouble: str) -> None:
    row.made, row.trouble = now(), trouble
    row.verdict_before, row.cause_before = row.run.verdict, row.run.cause
    if judged is not None:
        findings = judged.result.findings
        row.revision, row.result = judged.revision, packed(judged.result.model_dump(mode="json"))
        row.verdict, row.cause = judged.result.verdict, findings[0].rule if findings else ""


REJUDGE = Kind(Rejudged.id, _due, _perform)
