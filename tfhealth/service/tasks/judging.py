"""Judge a run whenever something new of it was received, or its project's profile changed."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import joinedload

from tfhealth.gating import gated
from tfhealth.service import work
from tfhealth.service.rooms import RoomError
from tfhealth.service.tasks.task import Kind, Means
from tfhealth.store import rejudging
from tfhealth.store.judging import DOUBT, Judged, judge_name, keep
from tfhealth.store.notices import note
from tfhealth.store.receiving import unpacked
from tfhealth.store.tables import Judgement, StoredRun
from tfhealth.store.tables.base import now

__all__ = ["JUDGE"]

_REST = timedelta(seconds=10)
"""Between two judgements of a run that is going on."""


def _due(at: datetime) -> Select[int]:
    behind = or_(StoredRun.judged_revision.is_(None), StoredRun.judged_revision < StoredRun.revision)
    trusted = or_(StoredRun.doubtful_until.is_(None), StoredRun.doubtful_until < at)
    rested = or_(StoredRun.status != "running", Judgement.made.is_(None), Judgement.made < at - _REST)
    return (
        select(StoredRun.key)
        .outerjoin(Judgement, Judgement.run_key == StoredRun.key)
        .where(behind, trusted, rested, StoredRun.revision > 0)
        .order_by(Judgement.made.asc().nulls_first(), StoredRun.key)
    )


def _perform(means: Means, key: int) -> None:
    with means.database.reading() as session:
        stored = session.get(StoredRun, key, options=[joinedload(StoredRun.project)])
        ready = stored is not None and rejudging.is_ready(session, stored) is not None
    if stored is None or (ready and _take_ready(means, key)):
        return
    profile = stored.project.profile
    try:
        judged = means.rooms.do(work.judge, means.database.url, key, profile)
    except RoomError as error:
        _doubt(means, key, str(error))
        return
    gate = work.gate(profile)
    said = None if gate is None else gated([judged.result], gate)
    with means.database.writing() as session:
        current = session.get(StoredRun, key, with_for_update=True)
        # A verdict by a profile that was replaced meanwhile is none.
        if current is not None and current.project.profile == profile:
            keep(session, current, judged)
            note(session, current, judged.result, means.settings.address, said)


def _take_ready(means: Means, key: int) -> bool:
    """Keep the verdict that was made while the profile in force was tried; return whether there was one."""
    with means.database.writing() as session:
        stored = session.get(StoredRun, key, with_for_update=True)
        before = session.get(Judgement, key)
        result = rejudging.ready(session, stored) if stored is not None and before is not None else None
        if stored is None or before is None or result is None:
            return False
        by = judge_name(stored.project.profile)
        keep(session, stored, Judged(stored.revision, by, result, unpacked(before.curves)))
    return True


def _doubt(means: Means, key: int, trouble: str) -> None:
    """Write down why a run could not be judged; it must not keep the others waiting, whatever is received of it."""
    with means.database.writing() as session:
        stored = session.get(StoredRun, key, with_for_update=True)
        if stored is not None:
            stored.trouble, stored.doubtful_until, stored.changed = trouble[:1000], now() + DOUBT, now()


JUDGE = Kind(StoredRun.key, _due, _perform)
