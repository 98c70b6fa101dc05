"""A database's URL -> a token that lets somebody in, made beside the service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tfhealth.errors import UsageError
from tfhealth.store import finding, tokens
from tfhealth.store.database import Database, connected

__all__ = ["has_admin", "new_token"]


def new_token(url: str, name: str, scope: str, project: str | None = None, days: int | None = None) -> str:
    """Make a token and return it, for the only time.

    Args:
        url: of the database, which is brought up to date.
        name: whose it is, or what for.
        scope: ingest, read or admin.
        project: the one that it is for; None: every project.
        days: until it expires; None: never.

    Raises:
        UsageError: the URL is none, or there is no such project.
    """
    with _opened(url) as database, database.writing() as session:
        finding.project(session, finding.DEFAULT_PROJECT)
        owner = finding.existing(session, project) if project else None
        if project and owner is None:
            raise UsageError(f"--project: there is no project {project!r}.")
        return tokens.make(session, name, scope, owner, days)[0]


def has_admin(url: str) -> bool:
    """Tell whether there is a token of scope admin that holds; the database is brought up to date."""
    with _opened(url) as database, database.reading() as session:
        return tokens.has_admin(session)


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    database = connected(url)
    database.upgrade()
    try:
        yield database
    finally:
        database.close()
