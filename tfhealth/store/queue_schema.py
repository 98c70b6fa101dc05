"""procrastinate's own tables, in a schema of their own, brought up to date as it ships new ones."""

from __future__ import annotations

from pathlib import Path

from procrastinate.schema import SchemaManager
from sqlalchemy import Connection, text

__all__ = ["SCHEMA", "create", "drop", "upgrade"]

SCHEMA = "tfhealth_queue"
"""Connections that speak to procrastinate have this as their search path."""


def create(connection: Connection) -> None:
    """Make the tables of the procrastinate that is installed."""
    _run(connection, f"CREATE SCHEMA {SCHEMA}; SET LOCAL search_path TO {SCHEMA}; {SchemaManager.get_schema()}")
    _run(connection, f"CREATE TABLE {SCHEMA}.applied (name text PRIMARY KEY); SET LOCAL search_path TO DEFAULT")
    _remember(connection, [path.name for path in _migrations()])


def drop(connection: Connection) -> None:
    """Remove the tables, with everything that waits in them; what is due is found again without them."""
    _run(connection, f"DROP SCHEMA {SCHEMA} CASCADE")


def upgrade(connection: Connection) -> None:
    """Make the changes that a newer procrastinate brings, each once."""
    applied = set(connection.scalars(text(f"SELECT name FROM {SCHEMA}.applied")))  # noqa: S608 - our own name
    missing = [path for path in _migrations() if path.name not in applied]
    for path in missing:
        _run(connection, f"SET LOCAL search_path TO {SCHEMA}; {path.read_text('utf-8')}")
    _run(connection, "SET LOCAL search_path TO DEFAULT")
    _remember(connection, [path.name for path in missing])


def _migrations() -> list[Path]:
    return sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))


def _remember(connection: Connection, names: list[str]) -> None:
    if names:
        query = f"INSERT INTO {SCHEMA}.applied VALUES (:name)"  # noqa: S608 - our own name
        connection.execute(text(query), [{"name": name} for name in names])


def _run(connection: Connection, script: str) -> None:
    """Run several commands at once, which drivers do only for a cursor of their own without parameters."""
    cursor = connection.connection.cursor()
    cursor.execute(script)
    cursor.close()
