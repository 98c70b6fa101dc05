"""Projects, their runs as they were received, and what was judged of each."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tfhealth.store.tables.base import Base, Key, now

__all__ = ["Chunk", "FoundRule", "Judgement", "Project", "Rendering", "StoredRun"]


_BEHIND = text("judged_revision IS NULL OR judged_revision < revision")


class Project(Base):
    """What a team trains; its runs are judged by one profile.

    Attributes:
        slug: its name in addresses.
        profile: YAML of the profile in force; empty: the built-in rules as they are.
    """

    __tablename__ = "project"

    id: Mapped[Key]
    slug: Mapped[str] = mapped_column(String(63), unique=True)
    profile: Mapped[str] = mapped_column(Text, default="")
    created: Mapped[datetime] = mapped_column(default=now)


class StoredRun(Base):
    """One run: what lists show of it, and how far it was received and judged.

    Attributes:
        id: the run's own identity, 32 hexadecimal digits.
        folder: the run directory that is read for it; null where its rows are in `chunk`.
        revision: grows with everything that is received.
        held: rows of each table that are held, without a gap; of a run in a folder, `files`: their sizes and times.
        head: meta data, sites, samples and summaries, compressed; `digests` says which.
        person: who sent it, by their token or their name at a proxy.
        judged_revision: the revision that the judgement is of; null before the first.
        judged_by: what judged, as `judging.judge_name` says.
        cause, cause_title: the leading finding's rule and title; empty where there is none.
        trouble: why the last judgement failed; empty where it did not.
        doubtful_until: no judgement before this time, after one that failed.
    """

    __tablename__ = "run"
    __table_args__ = (
        UniqueConstraint("project_id", "id"),
        Index(None, "project_id", "started"),
        Index(None, "project_id", "verdict", "started"),
        Index(None, "project_id", "cause", "started"),
        Index(None, "project_id", "model"),
        Index(None, "project_id", "person"),
        # What is to be judged is looked for all the time, and is little of much.
        Index("ix_run_behind", "key", sqlite_where=_BEHIND, postgresql_where=_BEHIND),
    )

    key: Mapped[Key]
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    id: Mapped[str] = mapped_column(String(32))
    folder: Mapped[str | None] = mapped_column(Text)
    revision: Mapped[int] = mapped_column(default=0)
    held: Mapped[dict[str, Any]] = mapped_column(default=dict)
    digests: Mapped[dict[str, Any]] = mapped_column(default=dict)
    changed: Mapped[datetime] = mapped_column(default=now)

    name: Mapped[str] = mapped_column(String(200), default="")
    status: Mapped[str] = mapped_column(String(20), default="running")
    model: Mapped[str] = mapped_column(String(200), default="")
    person: Mapped[str] = mapped_column(String(200), default="")
    started: Mapped[datetime] = mapped_column(default=now)
    ended: Mapped[datetime | None]
    steps: Mapped[int] = mapped_column(default=0)

    judged_revision: Mapped[int | None]
    judged_by: Mapped[str] = mapped_column(String(64), default="")
    verdict: Mapped[str] = mapped_column(String(20), default="")
    cause: Mapped[str] = mapped_column(String(60), default="")
    cause_title: Mapped[str] = mapped_column(Text, default="")
    trouble: Mapped[str] = mapped_column(Text, default="")
    doubtful_until: Mapped[datetime | None]
    # The last column, since SQLite reads all that lies before what it is asked for.
    head: Mapped[bytes | None] = mapped_column(deferred=True)

    project: Mapped[Project] = relationship()


class Chunk(Base):
    """Rows of one table of a run's file that follow each other, compressed.

    Attributes:
        kind: the table.
        first, last: numbers of the first and the last row.
        data: zlib of a JSON list of rows, as they travelled; several of them, one after the other, where they came in
            small parts.
    """

    __tablename__ = "chunk"

    run_key: Mapped[int] = mapped_column(ForeignKey("run.key", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    first: Mapped[int] = mapped_column(primary_key=True)
    last: Mapped[int]
    data: Mapped[bytes]


class Judgement(Base):
    """What was judged of a run the last time.

    Attributes:
        result: zlib of `result.json`.
        curves: zlib of {log: [[step, value], …]}, thinned for a picture.
    """

    __tablename__ = "judgement"

    run_key: Mapped[int] = mapped_column(ForeignKey("run.key", ondelete="CASCADE"), primary_key=True)
    result: Mapped[bytes]
    curves: Mapped[bytes]
    made: Mapped[datetime] = mapped_column(default=now)


class FoundRule(Base):
    """A rule that found something in a run, as it was judged the last time.

    Attributes:
        leading: whether it is the first finding.
    """

    __tablename__ = "found_rule"
    __table_args__ = (Index(None, "rule", "run_key"),)

    run_key: Mapped[int] = mapped_column(ForeignKey("run.key", ondelete="CASCADE"), primary_key=True)
    rule: Mapped[str] = mapped_column(String(60), primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    leading: Mapped[bool]


class Rendering(Base):
    """A report that was made of a run, kept for a while, or until the run or its judgement changes.

    Attributes:
        format: one of the report's formats but json, which is the judgement; or compare: beside an earlier run.
        made_of: what tells apart all that it can be made of, as `rendering.made_of` says.
        made: when.
        trouble: why it could not be made; empty where it could.
        data: zlib of the document.
    """

    __tablename__ = "rendering"

    run_key: Mapped[int] = mapped_column(ForeignKey("run.key", ondelete="CASCADE"), primary_key=True)
    format: Mapped[str] = mapped_column(String(10), primary_key=True)
    made_of: Mapped[str] = mapped_column(String(64))
    made: Mapped[datetime] = mapped_column(default=now, index=True)
    trouble: Mapped[str] = mapped_column(Text, default="")
    data: Mapped[bytes]
