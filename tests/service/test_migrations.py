"""The tables as migrations make them are those that the code speaks of, on both kinds of database."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select, text

from tests.helpers import run_of
from tests.service.sending import deltas
from tfhealth.database import DATABASE, opened
from tfhealth.store import finding, queue_schema, receiving, runs
from tfhealth.store.database import Database, connected
from tfhealth.store.tables import Base, FoundRule, Project, StoredRun
from tfhealth.wire.outgoing import identity


def received(database: Database, folder: Path) -> int:
    """Receive a run; return its key."""
    run_of({("loss", "total", "value"): [2.0, 1.0]}, folder=folder)
    with opened(folder / DATABASE) as connection, database.writing() as session:
        owner, name = finding.project(session, "default"), identity(connection)
        for delta in deltas(connection, receiving.held(session, owner, name)):
            receiving.receive(session, owner, name, delta)
        return session.scalars(select(StoredRun.key)).one()


def test_migrations_make_the_tables_of_the_code(database: Database) -> None:
    """Alembic finds no difference, and nothing is left to do when it is asked again."""
    database.upgrade()
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_a_difference_would_be_found(database: Database) -> None:
    """A column that no migration made is one."""
    with database.engine.execution_options(writes=True).begin() as connection:
        connection.execute(text("ALTER TABLE run ADD COLUMN extra TEXT"))
        difference = compare_metadata(MigrationContext.configure(connection), Base.metadata)
        assert [(one[0], one[3].name) for one in difference] == [("remove_column", "extra")]


def test_down_and_up_again_keeps_the_runs(database: Database, tmp_path: Path) -> None:
    """The migrations after the first tables are undone and done again; a run that was there is there, as it was."""
    key = received(database, tmp_path / "run")
    with database.writing() as session:
        session.add(FoundRule(run_key=key, rule="GRAD005", title="NaN", leading=True))
    with database.migrating() as config:
        command.downgrade(config, "0001")
    assert queue_schema.SCHEMA not in inspect(database.engine).get_schema_names()
    database.upgrade()
    with database.reading() as session:
        run = runs.load(session, session.get_one(StoredRun, key))
        assert run.tables[0].values.tolist() == [[2.0], [1.0]]
        assert [one.rule for one in session.scalars(select(FoundRule))] == ["GRAD005"]


def test_down_to_nothing_and_up_again(database: Database) -> None:
    """No table, type or schema is left behind that the way up would stumble over."""
    with database.migrating() as config:
        command.downgrade(config, "base")
    assert set(inspect(database.engine).get_table_names()) == {"alembic_version"}
    database.upgrade()
    with database.reading() as session:
        assert session.scalars(select(Project)).all() == []


def test_the_queue_follows_its_library(postgres) -> None:
    """A change that procrastinate brought after the tables were made is made once, when a server starts."""
    database = connected(postgres.new())
    database.upgrade()
    last = "03.04.00_50_post_add_retry_failed_job_procedure.sql"
    made = "procrastinate_trigger_function_status_events_update_v1"
    with database.engine.begin() as connection:
        # As before that change: it is not known, and what it makes is not there.
        connection.execute(text(f"DELETE FROM {queue_schema.SCHEMA}.applied WHERE name = '{last}'"))
        connection.execute(text(f"DROP FUNCTION {queue_schema.SCHEMA}.{made} CASCADE"))
    database.upgrade()
    database.upgrade()
    with database.engine.connect() as connection:
        assert last in set(connection.scalars(text(f"SELECT name FROM {queue_schema.SCHEMA}.applied")))
        assert made in set(connection.scalars(text("SELECT proname FROM pg_proc")))
    database.close()
