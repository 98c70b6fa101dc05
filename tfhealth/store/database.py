"""A database's URL -> sessions that behave alike on SQLite and PostgreSQL, with the tables brought up to date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session

from tfhealth.errors import UsageError
from tfhealth.store.line import Line

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["MIGRATIONS", "Database", "connected"]

MIGRATIONS = Path(__file__).parent / "migrations"

_BUSY_SECONDS = 30
_KINDS = ("sqlite", "postgresql")
_UPGRADE_LOCK = 0x7F6865616C7468  # of PostgreSQL, so that of several workers that start one upgrades


@dataclass(frozen=True)
class Database:
    """A database and its sessions.

    Attributes:
        url: as SQLAlchemy understands it, with the password.
        engine: connects to it.
        line: in which those of this process stand who write to SQLite.
    """

    url: str
    engine: Engine
    line: Line = field(default_factory=Line, repr=False, compare=False)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session that changes nothing."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Open a session whose changes are kept if nothing is raised; on SQLite one waits for the other."""
        engine = self.engine.execution_options(writes=True)
        # SQLite lets whoever waits try again after longer and longer pauses, while others go ahead.
        turn = self.line.turn(_BUSY_SECONDS) if self.is_sqlite else nullcontext()
        with turn, Session(engine, expire_on_commit=False) as session, session.begin():
            yield session

    def upgrade(self) -> None:
        """Bring the tables up to date; of several that do so at once, one does and the others wait."""
        from alembic import command

        with self.migrating() as config:
            command.upgrade(config, "head")
            if not self.is_sqlite:
                from tfhealth.store import queue_schema

                queue_schema.upgrade(config.attributes["connection"])

    @contextmanager
    def migrating(self) -> Iterator[Config]:
        """Yield what Alembic's commands take; all that they do is kept, or nothing, and others wait meanwhile."""
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self.engine.execution_options(writes=True).begin() as connection:
            if not self.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
            config.attributes["connection"] = connection
            yield config

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()


def connected(url: str) -> Database:
    """Return a database; nothing is opened yet.

    Args:
        url: `sqlite:///FILE`, or `postgresql://USER:PASSWORD@HOST/NAME`.

    Raises:
        UsageError: it is no such URL.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise UsageError(f"{url!r} is no URL of a database; sqlite:///FILE and postgresql://HOST/NAME are.") from None
    kind = parsed.get_backend_name()
    if kind not in _KINDS:
        raise UsageError(f"a database of kind {kind!r} is not supported; these are: {', '.join(_KINDS)}.")
    if kind == "postgresql":
        return Database(url, create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True))
    engine = create_engine(parsed, connect_args={"timeout": _BUSY_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return Database(url, engine)


def _prepare_sqlite(connection: Any, record: object) -> None:
    connection.isolation_level = None  # `_begin_sqlite` says how a transaction begins, and nothing else does
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "trusted_schema=OFF"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Any) -> None:
    # A transaction that reads first and writes later fails where another one wrote in between: one that will write
    # says so at once, and waits for its turn.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
