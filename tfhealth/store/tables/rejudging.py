"""Stored runs judged by a profile that is not in force yet, to see what it would change."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tfhealth.store.tables.base import Base, Key, now
from tfhealth.store.tables.runs import StoredRun

__all__ = ["Rejudged", "Rejudgement"]


class Rejudgement(Base):
    """A profile tried on a project's runs.

    Attributes:
        profile: its YAML.
        state: open, adopted or dropped.
        person: who tries it.
    """

    __tablename__ = "rejudgement"

    id: Mapped[Key]
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"), index=True)
    profile: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(20), default="open")
    person: Mapped[str] = mapped_column(String(200), default="")
    created: Mapped[datetime] = mapped_column(default=now)


class Rejudged(Base):
    """What one run's verdict was, and what it would be.

    Attributes:
        made: when it was judged; null: it is still to be done.
        revision: the run's, of which it was judged.
        cause_before, cause: rules of the leading findings; empty where there is none.
        result: zlib of `result.json`, until it is the run's own; null where there is none.
        trouble: why the run could not be judged; empty where it could.
    """

    __tablename__ = "rejudged"
    __table_args__ = (UniqueConstraint("rejudgement_id", "run_key"), Index(None, "made", "id"))

    id: Mapped[Key]
    rejudgement_id: Mapped[int] = mapped_column(ForeignKey("rejudgement.id", ondelete="CASCADE"))
    run_key: Mapped[int] = mapped_column(ForeignKey("run.key", ondelete="CASCADE"), index=True)
    made: Mapped[datetime | None]
    revision: Mapped[int | None]
    verdict_before: Mapped[str] = mapped_column(String(20), default="")
    verdict: Mapped[str] = mapped_column(String(20), default="")
    cause_before: Mapped[str] = mapped_column(String(60), default="")
    cause: Mapped[str] = mapped_column(String(60), default="")
    result: Mapped[bytes | None] = mapped_column(deferred=True)
    trouble: Mapped[str] = mapped_column(Text, default="")

    run: Mapped[StoredRun] = relationship()
    rejudgement: Mapped[Rejudgement] = relationship()
