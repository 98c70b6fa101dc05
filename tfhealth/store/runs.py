"""A run in the database -> the Run, from its rows or from its folder."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from tfhealth import loading
from tfhealth.run import Run
from tfhealth.store.receiving import unpacked, unpacked_rows
from tfhealth.store.tables import Chunk, StoredRun
from tfhealth.wire.delta import Stretch, Table
from tfhealth.wire.incoming import assembled

__all__ = ["load"]


def load(session: Session, stored: StoredRun) -> Run:
    """Return a stored run; its `path` is the folder that it is read from, if any.

    Raises:
        RunError: its folder cannot be read, or it is of a newer schema.
        sqlite3.DatabaseError: what was received is no run.
    """
    if stored.folder is not None:
        return loading.load(Path(stored.folder))
    chunks = session.scalars(select(Chunk).where(Chunk.run_key == stored.key).order_by(Chunk.kind, Chunk.first))
    stretches = (
        Stretch.model_construct(table=cast(Table, chunk.kind), first=chunk.first, rows=unpacked_rows(chunk.data))
        for chunk in chunks
    )
    return assembled(unpacked(stored.head) if stored.head else {}, stretches)
