"""What several pages need: the run that an address names."""

from __future__ import annotations

from typing import Annotated

from fastapi import HTTPException, Path
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from tfhealth.service.access import Caller, checked_project
from tfhealth.store.tables import StoredRun
from tfhealth.wire.delta import IDENTITY

__all__ = ["RunId", "named_run"]

RunId = Annotated[str, Path(pattern=f"^{IDENTITY.pattern}$", description="identity of the run")]


def named_run(session: Session, caller: Caller, project: str, run: str) -> StoredRun:
    """Return a run that the caller may read, with its project.

    Raises:
        HTTPException: there is none that they may read.
    """
    owner = checked_project(session, caller, project, "read")
    query = select(StoredRun).where(StoredRun.project_id == owner.id, StoredRun.id == run)
    stored = session.scalar(query.options(joinedload(StoredRun.project)))
    if stored is None:
        raise HTTPException(404, "no such run")
    return stored
