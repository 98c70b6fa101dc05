"""Tell an address what it waits for; again and again for a day, each time after a longer pause."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Select, select
from sqlalchemy.orm import joinedload

from tfhealth.service.sending import SendingError, send
from tfhealth.service.tasks.task import Kind, Means
from tfhealth.store.tables import Delivery
from tfhealth.store.tables.base import now

__all__ = ["DELIVER"]

_FIRST, _LONGEST = timedelta(seconds=5), timedelta(hours=1)
_GIVEN_UP = timedelta(days=1)


def _due(at: datetime) -> Select[int]:
    return select(Delivery.id).where(Delivery.due <= at).order_by(Delivery.due, Delivery.id)


def _perform(means: Means, key: int) -> None:
    with means.database.reading() as session:
        asked = session.get(Delivery, key, options=[joinedload(Delivery.webhook)])
    if asked is None:
        return
    trouble = ""
    try:
        send(asked.webhook.url, asked.body, means.settings.private_webhooks)
    except SendingError as error:
        trouble = str(error)[:500].replace("\0", "")
    with means.database.writing() as session:
        row = session.get(Delivery, key, with_for_update=True)
        if row is not None:
            _keep(row, trouble, now())


def _keep(row: Delivery, trouble: str, at: datetime) -> None:
    row.attempts, row.trouble = row.attempts + 1, trouble
    if not trouble:
        row.told, row.due = at, None
    elif at - row.created >= _GIVEN_UP:
        row.due = None
    else:
        row.due = at + min(_LONGEST, _FIRST * 2 ** min(row.attempts, 20))


DELIVER = Kind(Delivery.id, _due, _perform)
