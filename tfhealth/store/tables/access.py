"""Tokens, hashed, the logins that they gave, and attempts to guess one."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tfhealth.store.tables.base import Base, Key, now
from tfhealth.store.tables.runs import Project

__all__ = ["Attempt", "Login", "Token"]


class Token(Base):
    """What lets somebody in; the token itself is shown once and kept nowhere.

    Attributes:
        project_id: the one project that it is for; null: every project.
        digest: SHA-256 of the token, hexadecimal.
        beginning: its first letters, by which people know it again.
        scope: ingest, read or admin; admin may all.
    """

    __tablename__ = "token"

    id: Mapped[Key]
    project_id: Mapped[int | None] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(200))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    beginning: Mapped[str] = mapped_column(String(16))
    scope: Mapped[str] = mapped_column(String(10))
    created: Mapped[datetime] = mapped_column(default=now)
    expires: Mapped[datetime | None]
    revoked: Mapped[datetime | None]

    project: Mapped[Project | None] = relationship()


class Login(Base):
    """A browser that showed a token, and shows a cookie since; it may what the token may, and no longer than that.

    Attributes:
        digest: SHA-256 of the cookie, hexadecimal.
    """

    __tablename__ = "login"

    id: Mapped[Key]
    token_id: Mapped[int] = mapped_column(ForeignKey("token.id", ondelete="CASCADE"), index=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    expires: Mapped[datetime] = mapped_column(index=True)

    token: Mapped[Token] = relationship()


class Attempt(Base):
    """A token that was refused, by the address that it came from.

    Attributes:
        digest: SHA-256 of what was shown, so that one stale token is one attempt, however often it is shown.
    """

    __tablename__ = "attempt"

    id: Mapped[Key]
    address: Mapped[str] = mapped_column(String(64), index=True)
    digest: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(default=now, index=True)
