"""Questions to the database: which runs there are, page by page, and one of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.orm.interfaces import ORMOption

from tfhealth.store.tables import FoundRule, Project, StoredRun
from tfhealth.wire.documents import RunFilter, RunPage, RunSummary

__all__ = ["DEFAULT_PROJECT", "by_id", "existing", "page", "project", "summary"]

DEFAULT_PROJECT = "default"
"""The project that is there from the beginning."""


def project(session: Session, slug: str) -> Project:
    """Return a project, made where there is none; the session writes."""
    found = existing(session, slug)
    if found is None:
        found = Project(slug=slug)
        session.add(found)
        session.flush()
    return found


def existing(session: Session, slug: str) -> Project | None:
    """Return a project, if there is one of that name."""
    return session.scalar(select(Project).where(Project.slug == slug))


def by_id(session: Session, owner: Project, run_id: str, *options: ORMOption, lock: bool = False) -> StoredRun | None:
    """Return a project's run by its identity; with `lock`, nobody else changes it before the session ends."""
    query = select(StoredRun).where(StoredRun.project_id == owner.id, StoredRun.id == run_id).options(*options)
    return session.scalar(query.with_for_update() if lock else query)


def summary(stored: StoredRun, slug: str) -> RunSummary:
    """Return a run as lists show it; `slug` is its project's."""
    own = set(RunSummary.model_fields) - {"project"}
    return RunSummary(project=slug, **{name: getattr(stored, name) for name in own})


def page(session: Session, owner: Project, asked: RunFilter, after: str = "", most: int = 50) -> RunPage:
    """Return a page of a project's runs, the latest first.

    Args:
        session: one that reads.
        owner: the project.
        asked: which runs.
        after: `next` of the page before; runs that were received meanwhile move nothing.
        most: runs on a page.

    Raises:
        ValueError: `after` is no such thing.
    """
    conditions = [StoredRun.project_id == owner.id, *_conditions(asked)]
    total = session.scalar(select(func.count()).select_from(StoredRun).where(*conditions)) or 0
    if after:
        started, key = _place(after)
        conditions.append(or_(StoredRun.started < started, and_(StoredRun.started == started, StoredRun.key < key)))
    query = select(StoredRun).where(*conditions).order_by(StoredRun.started.desc(), StoredRun.key.desc())
    found = session.scalars(query.limit(most + 1)).all()
    shown = found[:most]
    following = f"{shown[-1].started.isoformat()}~{shown[-1].key}" if len(found) > most else None
    return RunPage(runs=[summary(one, owner.slug) for one in shown], total=total, next=following)


def _conditions(asked: RunFilter) -> Iterator[ColumnElement[bool]]:
    for name in ("verdict", "status", "cause", "model", "person"):
        value = getattr(asked, name)
        if value is not None:
            yield getattr(StoredRun, name) == value
    if asked.rule is not None:
        yield exists().where(FoundRule.run_key == StoredRun.key, FoundRule.rule == asked.rule)
    if asked.text:
        columns = (StoredRun.name, StoredRun.model, StoredRun.person)
        yield or_(*(column.icontains(asked.text, autoescape=True) for column in columns))
    if asked.since is not None:
        yield StoredRun.started >= asked.since
    if asked.until is not None:
        yield StoredRun.started < asked.until


def _place(after: str) -> tuple[datetime, int]:
    started, _, key = after.partition("~")
    if not key.isdecimal() or len(key) > 18:
        raise ValueError("no place in a list of runs")
    try:
        return datetime.fromisoformat(started).astimezone(UTC), int(key)
    except OverflowError:
        raise ValueError("no place in a list of runs") from None
