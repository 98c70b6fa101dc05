"""Who does which piece of background work at the moment, so that of several servers one does it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from tfhealth.store.tables.base import Base

__all__ = ["Claim"]


class Claim(Base):
    """Work that somebody does, or that rests after it failed.

    Attributes:
        kind: of work.
        key: number of the row that it is about.
        holder: the worker, 32 hexadecimal digits; empty: it rests.
        until: nobody else begins it before; who works on it moves this on.
    """

    __tablename__ = "claim"

    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    key: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    holder: Mapped[str] = mapped_column(String(32), index=True)
    until: Mapped[datetime] = mapped_column(index=True)
