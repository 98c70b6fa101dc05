"""What Alembic runs: our tables, on the connection that `Database.upgrade` made."""

from alembic import context

from tfhealth.store.tables import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
