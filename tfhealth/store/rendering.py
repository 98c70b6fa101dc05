"""Documents that were made of runs, kept until what they were made of changes."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from tfhealth.store.database import Database
from tfhealth.store.tables import Rendering, StoredRun
from tfhealth.store.tables.base import now

__all__ = ["Kept", "keep", "kept", "made_of"]

Kept = Rendering
"""A document, or why it could not be made."""

_DOUBT = timedelta(minutes=10)
"""Before what could not be made is tried again."""


def made_of(*runs: StoredRun, profile: str = "") -> str:
    """Return what tells apart everything that a document can be made of: how far runs were received and judged."""
    parts = [profile, *(f"{run.key} {run.revision} {run.judged_revision} {run.judged_by}" for run in runs)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def kept(database: Database, key: int, format: str, made_of: str) -> Kept | None:
    """Return a document of a run as it is now; None: there is none, or what was in its way may be over."""
    query = select(Rendering).where(Rendering.run_key == key, Rendering.format == format, Rendering.made_of == made_of)
    with database.reading() as session:
        found = session.scalar(query)
    return None if found is not None and found.trouble and found.made < now() - _DOUBT else found


def keep(database: Database, key: int, format: str, made_of: str, data: bytes, trouble: str = "") -> Kept:
    """Keep a document in place of the one before."""
    document = Rendering(run_key=key, format=format, made_of=made_of, data=data, trouble=trouble[:1000], made=now())
    try:
        with database.writing() as session:
            session.merge(document)
    except IntegrityError:
        pass  # somebody else kept it at the same time, or the run is gone; it can be shown all the same
    return document
