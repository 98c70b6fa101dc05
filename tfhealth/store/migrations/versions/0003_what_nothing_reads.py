"""Columns and indexes that nothing reads are gone."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the tables; without Alembic's batches, which on SQLite make a table anew and drop what refers to it."""
    op.drop_index("ix_run_changed", "run")
    op.drop_index("ix_run_judged_by", "run")
    op.drop_column("run", "size")
    op.drop_column("run", "received")
    for name in ("checklist", "verdict", "severity"):
        op.drop_column("found_rule", name)


def downgrade() -> None:
    """Change them back; what was in the columns is not known any more."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("run", sa.Column("size", number, nullable=False, server_default="0"))
    moment = sa.Column("received", sa.DateTime(timezone=True), nullable=False, server_default="2000-01-01 00:00:00")
    op.add_column("run", moment)
    op.execute("UPDATE run SET received = started")
    for name, length in (("checklist", 80), ("verdict", 20), ("severity", 20)):
        op.add_column("found_rule", sa.Column(name, sa.String(length), nullable=False, server_default=""))
    op.create_index("ix_run_changed", "run", ["changed"])
    op.create_index("ix_run_judged_by", "run", ["judged_by"])
