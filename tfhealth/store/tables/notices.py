"""Who is told of findings, and what is still to be told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tfhealth.store.tables.base import Base, Key, now

__all__ = ["Delivery", "Webhook"]


class Webhook(Base):
    """An address that is told of a project's runs.

    Attributes:
        shape: json or slack.
    """

    __tablename__ = "webhook"

    id: Mapped[Key]
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"), index=True)
    url: Mapped[str] = mapped_column(Text)
    shape: Mapped[str] = mapped_column(String(10), default="json")
    created: Mapped[datetime] = mapped_column(default=now)


class Delivery(Base):
    """One thing to be told at one address, once.

    Attributes:
        event: critical (a run's first critical finding) or ended.
        created: when there was something to be told.
        due: not before this time; null: done, or given up.
        told: when the address took it.
        trouble: why the last attempt failed.
    """

    __tablename__ = "delivery"
    __table_args__ = (UniqueConstraint("webhook_id", "run_key", "event"),)

    id: Mapped[Key]
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhook.id", ondelete="CASCADE"))
    run_key: Mapped[int] = mapped_column(ForeignKey("run.key", ondelete="CASCADE"))
    event: Mapped[str] = mapped_column(String(20))
    body: Mapped[dict[str, Any]]
    attempts: Mapped[int] = mapped_column(default=0)
    created: Mapped[datetime] = mapped_column(default=now)
    due: Mapped[datetime | None] = mapped_column(default=now, index=True)
    told: Mapped[datetime | None]
    trouble: Mapped[str] = mapped_column(Text, default="")

    webhook: Mapped[Webhook] = relationship()
