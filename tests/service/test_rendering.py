"""Documents that were made of a run are kept for a while."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from sqlalchemy import select, update

from tests.service.test_migrations import received
from tfhealth.store import rendering
from tfhealth.store.database import Database
from tfhealth.store.rendering import Document
from tfhealth.store.tables import Rendering
from tfhealth.store.tables.base import now


def test_what_was_made_long_ago_is_cleared_away(database: Database, tmp_path: Path) -> None:
    """When something else is made; what is younger stays."""
    key = received(database, tmp_path / "run")
    for format, days in (("html", 31), ("pdf", 29)):
        rendering.keep(database, key, format, "it", Document(b"made"))
        with database.writing() as session:
            row = update(Rendering).where(Rendering.format == format)
            session.execute(row.values(made=now() - timedelta(days=days)))
    rendering.keep(database, key, "md", "it", Document(b"new"))
    with database.reading() as session:
        assert set(session.scalars(select(Rendering.format))) == {"pdf", "md"}
    assert rendering.kept(database, key, "html", "it") is None
    assert rendering.kept(database, key, "pdf", "it") == Document(b"made")
