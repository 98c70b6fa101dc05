"""A name -> the project, or a project's run, that has it; and every project there is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlalchemy.orm.interfaces import ORMOption

from tfhealth.store.tables import Project, StoredRun

__all__ = ["DEFAULT_PROJECT", "by_id", "existing", "project", "projects"]

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


class ListedProject(NamedTuple):
    """What a list shows of a project; `last` is when the latest of its runs began."""

    slug: str
    created: datetime
    runs: int
    last: datetime | None


def projects(session: Session, only: str | None) -> Sequence[ListedProject]:
    """Return every project, or the only one that is meant, by name."""
    runs = (func.count(StoredRun.key), func.max(StoredRun.started))
    query = select(Project.slug, Project.created, *runs).outerjoin(StoredRun, StoredRun.project_id == Project.id)
    if only is not None:
        query = query.where(Project.slug == only)
    return [ListedProject(*row) for row in session.execute(query.group_by(Project.id).order_by(Project.slug))]


def by_id(session: Session, owner: Project, run_id: str, *options: ORMOption, lock: bool = False) -> StoredRun | None:
    """Return a project's run by its identity; with `lock`, nobody else changes it before the session ends."""
    query = select(StoredRun).where(StoredRun.project_id == owner.id, StoredRun.id == run_id).options(*options)
    return session.scalar(query.with_for_update() if lock else query)
