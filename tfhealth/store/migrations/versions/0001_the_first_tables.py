"""The first tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


_BEHIND = sa.text("judged_revision IS NULL OR judged_revision < revision")


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "attempt",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
    )
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_attempt_address"), ["address"], unique=False)
        batch_op.create_index(batch_op.f("ix_attempt_at"), ["at"], unique=False)

    op.create_table(
        "claim",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("key", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("holder", sa.String(length=32), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", name=op.f("pk_claim")),
    )
    with op.batch_alter_table("claim", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_claim_holder"), ["holder"], unique=False)
        batch_op.create_index(batch_op.f("ix_claim_until"), ["until"], unique=False)

    op.create_table(
        "project",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("slug", sa.String(length=63), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project")),
        sa.UniqueConstraint("slug", name=op.f("uq_project_slug")),
    )
    op.create_table(
        "rejudgement",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("project_id", _NUMBER, nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("person", sa.String(length=200), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_rejudgement_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rejudgement")),
    )
    with op.batch_alter_table("rejudgement", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rejudgement_project_id"), ["project_id"], unique=False)

    op.create_table(
        "run",
        sa.Column("key", _NUMBER, nullable=False),
        sa.Column("project_id", _NUMBER, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("folder", sa.Text(), nullable=True),
        sa.Column("revision", _NUMBER, nullable=False),
        sa.Column("held", _JSON, nullable=False),
        sa.Column("digests", _JSON, nullable=False),
        sa.Column("size", _NUMBER, nullable=False),
        sa.Column("received", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("person", sa.String(length=200), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=True),
        sa.Column("steps", _NUMBER, nullable=False),
        sa.Column("judged_revision", _NUMBER, nullable=True),
        sa.Column("judged_by", sa.String(length=64), nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=False),
        sa.Column("cause", sa.String(length=60), nullable=False),
        sa.Column("cause_title", sa.Text(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.Column("doubtful_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("head", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_run_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_run")),
        sa.UniqueConstraint("project_id", "id", name=op.f("uq_run_project_id_id")),
    )
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.create_index("ix_run_behind", ["key"], unique=False, sqlite_where=_BEHIND, postgresql_where=_BEHIND)
        batch_op.create_index(batch_op.f("ix_run_changed"), ["changed"], unique=False)
        batch_op.create_index(batch_op.f("ix_run_judged_by"), ["judged_by"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_run_project_id_cause_started"), ["project_id", "cause", "started"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_run_project_id_model"), ["project_id", "model"], unique=False)
        batch_op.create_index(batch_op.f("ix_run_project_id_person"), ["project_id", "person"], unique=False)
        batch_op.create_index(batch_op.f("ix_run_project_id_started"), ["project_id", "started"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_run_project_id_verdict_started"), ["project_id", "verdict", "started"], unique=False
        )

    op.create_table(
        "token",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("project_id", _NUMBER, nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("beginning", sa.String(length=16), nullable=False),
        sa.Column("scope", sa.String(length=10), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_token_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token")),
        sa.UniqueConstraint("digest", name=op.f("uq_token_digest")),
    )
    op.create_table(
        "login",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("token_id", _NUMBER, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["token_id"], ["token.id"], name=op.f("fk_login_token_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login")),
        sa.UniqueConstraint("digest", name=op.f("uq_login_digest")),
    )
    with op.batch_alter_table("login", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_login_expires"), ["expires"], unique=False)
        batch_op.create_index(batch_op.f("ix_login_token_id"), ["token_id"], unique=False)

    op.create_table(
        "webhook",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("project_id", _NUMBER, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("shape", sa.String(length=10), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_webhook_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
    )
    with op.batch_alter_table("webhook", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_webhook_project_id"), ["project_id"], unique=False)

    op.create_table(
        "chunk",
        sa.Column("run_key", _NUMBER, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("first", _NUMBER, nullable=False),
        sa.Column("last", _NUMBER, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run_key"], ["run.key"], name=op.f("fk_chunk_run_key"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_key", "kind", "first", name=op.f("pk_chunk")),
    )
    op.create_table(
        "delivery",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("webhook_id", _NUMBER, nullable=False),
        sa.Column("run_key", _NUMBER, nullable=False),
        sa.Column("event", sa.String(length=20), nullable=False),
        sa.Column("body", _JSON, nullable=False),
        sa.Column("attempts", _NUMBER, nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_key"], ["run.key"], name=op.f("fk_delivery_run_key"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhook.id"], name=op.f("fk_delivery_webhook_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("webhook_id", "run_key", "event", name=op.f("uq_delivery_webhook_id_run_key_event")),
    )
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_delivery_due"), ["due"], unique=False)

    op.create_table(
        "found_rule",
        sa.Column("run_key", _NUMBER, nullable=False),
        sa.Column("rule", sa.String(length=60), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("checklist", sa.String(length=80), nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=False),
        sa.Column("severity", sa.String(length=20), nullable=False),
        sa.Column("leading", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["run_key"], ["run.key"], name=op.f("fk_found_rule_run_key"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_key", "rule", name=op.f("pk_found_rule")),
    )
    with op.batch_alter_table("found_rule", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_found_rule_rule_run_key"), ["rule", "run_key"], unique=False)

    op.create_table(
        "judgement",
        sa.Column("run_key", _NUMBER, nullable=False),
        sa.Column("result", sa.LargeBinary(), nullable=False),
        sa.Column("curves", sa.LargeBinary(), nullable=False),
        sa.Column("made", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run_key"], ["run.key"], name=op.f("fk_judgement_run_key"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_key", name=op.f("pk_judgement")),
    )
    op.create_table(
        "rejudged",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("rejudgement_id", _NUMBER, nullable=False),
        sa.Column("run_key", _NUMBER, nullable=False),
        sa.Column("made", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", _NUMBER, nullable=True),
        sa.Column("verdict_before", sa.String(length=20), nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=False),
        sa.Column("cause_before", sa.String(length=60), nullable=False),
        sa.Column("cause", sa.String(length=60), nullable=False),
        sa.Column("result", sa.LargeBinary(), nullable=True),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["rejudgement_id"], ["rejudgement.id"], name=op.f("fk_rejudged_rejudgement_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["run_key"], ["run.key"], name=op.f("fk_rejudged_run_key"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rejudged")),
        sa.UniqueConstraint("rejudgement_id", "run_key", name=op.f("uq_rejudged_rejudgement_id_run_key")),
    )
    with op.batch_alter_table("rejudged", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rejudged_made_id"), ["made", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_rejudged_run_key"), ["run_key"], unique=False)

    op.create_table(
        "rendering",
        sa.Column("run_key", _NUMBER, nullable=False),
        sa.Column("format", sa.String(length=10), nullable=False),
        sa.Column("made_of", sa.String(length=64), nullable=False),
        sa.Column("made", sa.DateTime(timezone=True), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run_key"], ["run.key"], name=op.f("fk_rendering_run_key"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_key", "format", name=op.f("pk_rendering")),
    )


def downgrade() -> None:
    """Change them back."""
    op.drop_table("rendering")
    with op.batch_alter_table("rejudged", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_rejudged_run_key"))
        batch_op.drop_index(batch_op.f("ix_rejudged_made_id"))

    op.drop_table("rejudged")
    op.drop_table("judgement")
    with op.batch_alter_table("found_rule", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_found_rule_rule_run_key"))

    op.drop_table("found_rule")
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_delivery_due"))

    op.drop_table("delivery")
    op.drop_table("chunk")
    with op.batch_alter_table("webhook", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_webhook_project_id"))

    op.drop_table("webhook")
    with op.batch_alter_table("login", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_login_token_id"))
        batch_op.drop_index(batch_op.f("ix_login_expires"))

    op.drop_table("login")
    op.drop_table("token")
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_run_project_id_verdict_started"))
        batch_op.drop_index(batch_op.f("ix_run_project_id_started"))
        batch_op.drop_index(batch_op.f("ix_run_project_id_person"))
        batch_op.drop_index(batch_op.f("ix_run_project_id_model"))
        batch_op.drop_index(batch_op.f("ix_run_project_id_cause_started"))
        batch_op.drop_index(batch_op.f("ix_run_judged_by"))
        batch_op.drop_index(batch_op.f("ix_run_changed"))
        batch_op.drop_index("ix_run_behind", sqlite_where=_BEHIND, postgresql_where=_BEHIND)

    op.drop_table("run")
    with op.batch_alter_table("rejudgement", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_rejudgement_project_id"))

    op.drop_table("rejudgement")
    op.drop_table("project")
    with op.batch_alter_table("claim", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_claim_until"))
        batch_op.drop_index(batch_op.f("ix_claim_holder"))

    op.drop_table("claim")
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_attempt_at"))
        batch_op.drop_index(batch_op.f("ix_attempt_address"))

    op.drop_table("attempt")
