"""Reports that were made long ago are found by when that was."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    op.create_index("ix_rendering_made", "rendering", ["made"])


def downgrade() -> None:
    """Drop it."""
    op.drop_index("ix_rendering_made", "rendering")
