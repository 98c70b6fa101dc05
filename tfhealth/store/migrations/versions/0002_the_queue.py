"""The queue of background work, on PostgreSQL; SQLite has none."""

from alembic import op

from tfhealth.store import queue_schema

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the tables."""
    if op.get_bind().dialect.name == "postgresql":
        queue_schema.create(op.get_bind())


def downgrade() -> None:
    """Change them back."""
    if op.get_bind().dialect.name == "postgresql":
        queue_schema.drop(op.get_bind())
