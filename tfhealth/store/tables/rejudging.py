"""Stored runs judged by a profile that is not in force yet, to see what it would change."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tfhealth.store.tables.base import Base, Key, now
from tfhealth.store.tables.runs import StoredRun

__all__ = ["Rejudged", "Rejudgement"]


class Rejudgement(Base):
    """A profile tried on a project's runs.

    Attributes:
        profile: its YAML.
        state: waiting, running, done, adopted, dropped or failed.
        total: runs there were when it began.
        trouble: why it failed.
    """

    __tablename__ = "rejudgement"

    id: Mapped[Key]
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"), index=True)
    profile: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(20), default="waiting")
    total: Mapped[int] = mapped_column(default=0)
    trouble: Mapped[str] = mapped_column(Text, default="")
    created: Mapped[datetime] = mapped_column(default=now)


class Rejudged(Base):
    """What one run's verdict was, and what it would be."""

    __tablename__ = "rejudged"

    rejudgement_id: Mapped[int] = mapped_column(ForeignKey("rejudgement.id", ondelete="CASCADE"), primary_key=True)
    run_key: Mapped[int] = mapped_column(ForeignKey("run.key", ondelete="CASCADE"), primary_key=True)
    verdict_before: Mapped[str] = mapped_column(String(20))
    verdict: Mapped[str] = mapped_column(String(20))
    cause_before: Mapped[str] = mapped_column(String(60))
    cause: Mapped[str] = mapped_column(String(60))
    result: Mapped[bytes | None]
    trouble: Mapped[str] = mapped_column(Text, default="")

    run: Mapped[StoredRun] = relationship()
