"""What somebody looks for -> one page of a project's runs, without anything that a list does not show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, get_args

from sqlalchemy import ColumnElement, SQLColumnExpression, and_, case, func, or_, select
from sqlalchemy.orm import Session

from tfhealth.store.tables import FoundRule, Project, StoredRun
from tfhealth.wire.documents import Status, Verdict

__all__ = ["PAGE", "SORTS", "STATUSES", "VERDICTS", "Choices", "Found", "Listed", "Wanted", "choices", "find"]

PAGE = 50
"""Runs on one page."""

VERDICTS: tuple[str, ...] = get_args(Verdict)
"""Every verdict on a run, the worst first."""

STATUSES: tuple[str, ...] = get_args(Status)
"""Everything that a run says of how it goes."""

_MOST_WORDS = 8
_MOST_CHOICES = 200

SORTS: dict[str, SQLColumnExpression[Any]] = {
    "name": func.lower(StoredRun.name),
    "verdict": case({name: place for place, name in enumerate(VERDICTS)}, value=StoredRun.verdict, else_=len(VERDICTS)),
    "cause": StoredRun.cause_title,
    "model": func.lower(StoredRun.model),
    "person": func.lower(StoredRun.person),
    "steps": StoredRun.steps,
    "started": StoredRun.started,
}
"""By what runs may be sorted."""


class Listed(NamedTuple):
    """What a list shows of a run, each as the stored run has it."""

    id: str
    name: str
    status: str
    model: str
    person: str
    started: datetime
    ended: datetime | None
    steps: int
    verdict: str
    cause: str
    cause_title: str
    trouble: str


@dataclass(frozen=True)
class Wanted:
    """What somebody looks for; what is empty does not matter.

    Attributes:
        verdict, status, model, person: the run's own.
        cause: rule of the leading finding.
        found: rule of any finding.
        text: words that all stand somewhere in a name, an identity, a model, a person or a cause.
        since, until: it began then or later, and earlier; None does not matter.
        sort: a name of `SORTS`; with a hyphen before it, the other way round.
        page: from 1.
    """

    verdict: str = ""
    status: str = ""
    cause: str = ""
    found: str = ""
    model: str = ""
    person: str = ""
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None
    sort: str = "-started"
    page: int = 1


@dataclass(frozen=True)
class Found:
    """One page of what was found.

    Attributes:
        runs: those of this page.
        total: how many there are on all pages.
        next: what to ask the next page by, the latest runs first; empty: this is the last one.
    """

    runs: Sequence[Listed]
    total: int
    next: str

    @property
    def pages(self) -> int:
        """How many pages there are, at least 1."""
        return max(1, -(-self.total // PAGE))


@dataclass(frozen=True)
class Choices:
    """What there is to choose from in a project: its runs' causes as (rule, title), models and persons."""

    causes: Sequence[tuple[str, str]]
    models: Sequence[str]
    persons: Sequence[str]


def find(session: Session, owner: Project, wanted: Wanted, after: str = "", most: int = PAGE) -> Found:
    """Return the page of runs that is wanted; beyond the last one there are none.

    Args:
        session: one that reads.
        owner: the project.
        wanted: which runs, in which order, and which page of them.
        after: `next` of the page before, where the latest come first; runs that were received meanwhile move nothing.
        most: runs on a page.

    Raises:
        ValueError: `after` is no such thing.
    """
    conditions = _conditions(owner, wanted)
    total = session.scalar(select(func.count()).select_from(StoredRun).where(*conditions)) or 0
    query = select(*(getattr(StoredRun, name) for name in Listed._fields), StoredRun.key).where(*conditions)
    if after:
        query = query.where(_behind(after))
    query = query.order_by(*_order(wanted.sort)).limit(most + 1).offset(most * (wanted.page - 1))
    rows = session.execute(query).all()
    last = rows[most - 1] if len(rows) > most else None
    following = f"{last.started.isoformat()}~{last.key}" if last is not None else ""
    return Found([Listed(*own) for *own, _ in rows[:most]], total, following)


def choices(session: Session, owner: Project) -> Choices:
    """Return what the runs of a project can be chosen by."""
    own = StoredRun.project_id == owner.id
    causes = select(StoredRun.cause, func.min(StoredRun.cause_title)).where(own, StoredRun.cause != "")
    model, person = (
        select(column).where(own, column != "").distinct().order_by(column).limit(_MOST_CHOICES)
        for column in (StoredRun.model, StoredRun.person)
    )
    found = session.execute(causes.group_by(StoredRun.cause).order_by(StoredRun.cause).limit(_MOST_CHOICES))
    return Choices(
        [(rule, title) for rule, title in found], session.scalars(model).all(), session.scalars(person).all()
    )


def _conditions(owner: Project, wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [StoredRun.project_id == owner.id]
    for name in ("verdict", "status", "cause", "model", "person"):
        if value := getattr(wanted, name):
            found.append(getattr(StoredRun, name) == value)
    if wanted.found:
        found.append(StoredRun.key.in_(select(FoundRule.run_key).where(FoundRule.rule == wanted.found)))
    places = (StoredRun.name, StoredRun.id, StoredRun.model, StoredRun.person, StoredRun.cause, StoredRun.cause_title)
    if wanted.since is not None:
        found.append(StoredRun.started >= wanted.since)
    if wanted.until is not None:
        found.append(StoredRun.started < wanted.until)
    for word in wanted.text.split()[:_MOST_WORDS]:
        found.append(or_(*(place.icontains(word, autoescape=True) for place in places)))
    return found


def _behind(after: str) -> ColumnElement[bool]:
    """Return the condition that a run comes after a place in the list that has the latest first."""
    said, _, key = after.partition("~")
    if not key.isdecimal() or len(key) > 18:
        raise ValueError("no place in a list of runs")
    try:
        started = datetime.fromisoformat(said).astimezone(UTC)
    except OverflowError:
        raise ValueError("no place in a list of runs") from None
    return or_(StoredRun.started < started, and_(StoredRun.started == started, StoredRun.key < int(key)))


def _order(sort: str) -> list[ColumnElement[Any]]:
    """Return by what to sort; runs that are alike come the latest first, so that every page is certain."""
    name = sort.removeprefix("-")
    column = SORTS.get(name, SORTS["started"])
    first = column.desc() if sort.startswith("-") else column.asc()
    return [first, *([] if name == "started" else [StoredRun.started.desc()]), StoredRun.key.desc()]
