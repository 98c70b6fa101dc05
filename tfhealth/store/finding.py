"""A name -> the project, or a project's run, that has it."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlalchemy.orm.interfaces import ORMOption

from tfhealth.store.tables import Project, StoredRun

__all__ = ["DEFAULT_PROJECT", "by_id", "existing", "project"]

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
