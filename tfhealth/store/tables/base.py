"""What all tables share: types that are the same on SQLite and PostgreSQL, and names of constraints."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from sqlalchemy import JSON, BigInteger, Integer, LargeBinary, MetaData
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.types import DateTime, TypeDecorator

__all__ = ["Base", "Key", "Moment", "now"]

# SQLite numbers rows by itself in a column of this very type only.
_NUMBER = BigInteger().with_variant(Integer, "sqlite")
Key = Annotated[int, mapped_column(_NUMBER, primary_key=True)]
"""The number of a row, given by the database."""


class Moment(TypeDecorator[datetime]):
    """A time in UTC; SQLite keeps no zone, so what it gives back gets one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time with its zone."""
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def now() -> datetime:
    """Return the time it is, in UTC."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """All tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own manner
        dict[str, Any]: JSON().with_variant(JSONB, "postgresql"),
        datetime: Moment,
        bytes: LargeBinary,
        int: _NUMBER,
    }
