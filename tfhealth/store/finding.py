"""Questions to the database: which runs there are, page by page, and one of them."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from tfhealth.store.tables import Project, StoredRun
from tfhealth.wire.documents import RunSummary

__all__ = ["DEFAULT_PROJECT", "by_id", "existing", "project", "summary"]

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


def by_id(session: Session, owner: Project, run_id: str) -> StoredRun | None:
    """Return a project's run by its identity."""
    return session.scalar(select(StoredRun).where(StoredRun.project_id == owner.id, StoredRun.id == run_id))


def summary(stored: StoredRun, slug: str) -> RunSummary:
    """Return a run as lists show it; `slug` is its project's."""
    own = set(RunSummary.model_fields) - {"project"}
    return RunSummary(project=slug, **{name: getattr(stored, name) for name in own})
