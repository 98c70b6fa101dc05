"""Documents that were made of runs, kept for a while, or until what they were made of changes."""

from __future__ import annotations

import hashlib
import zlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from tfhealth.store.database import Database
from tfhealth.store.judging import DOUBT
from tfhealth.store.tables import Rendering, StoredRun
from tfhealth.store.tables.base import now

__all__ = ["Document", "keep", "kept", "made_of"]

_LASTS = timedelta(days=30)


@dataclass(frozen=True)
class Document:
    """A document, or why it could not be made: then there is no data."""

    data: bytes
    trouble: str = ""


def made_of(*runs: StoredRun, profile: str = "") -> str:
    """Return what tells apart everything that a document can be made of: how far runs were received and judged."""
    parts = [profile, *(f"{run.key} {run.revision} {run.judged_revision} {run.judged_by}" for run in runs)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def kept(database: Database, key: int, format: str, made_of: str) -> Document | None:
    """Return a document of a run as it is now; None: there is none, or what was in its way may be over."""
    query = select(Rendering).where(Rendering.run_key == key, Rendering.format == format, Rendering.made_of == made_of)
    with database.reading() as session:
        found = session.scalar(query)
    if found is None or (found.trouble and found.made < now() - DOUBT):
        return None
    return Document(zlib.decompress(found.data), found.trouble)


def keep(database: Database, key: int, format: str, made_of: str, document: Document) -> None:
    """Keep a document in place of the one before. What was made long ago is cleared away: it can be made again."""
    data, trouble = zlib.compress(document.data), document.trouble
    row = Rendering(run_key=key, format=format, made_of=made_of, made=now(), trouble=trouble, data=data)
    # Somebody else may have kept it at the same time, and the run may be gone; it can be shown all the same.
    with suppress(IntegrityError), database.writing() as session:
        session.execute(delete(Rendering).where(Rendering.made < now() - _LASTS))
        session.merge(row)
