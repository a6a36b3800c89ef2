"""Standing searches, their hits and deliveries."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TEXT = sa.Text(collation="C")
TIME = sa.DateTime(timezone=True)
NOW = sa.text("now()")


def upgrade() -> None:
    _watches()
    _hits()
    _deliveries()


def downgrade() -> None:
    for table in ("deliveries", "watch_hits", "watch_cursors", "watch_crops", "watches"):
        op.drop_table(table)


def _watches() -> None:
    op.create_table(
        "watches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("collection_id", sa.Uuid(), nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("model_id", TEXT, nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=True),
        sa.Column("filter", postgresql.JSONB(), nullable=False),
        sa.Column("exclude_same_track", sa.Boolean(), nullable=False),
        sa.Column("min_score", sa.Double(), nullable=True),
        sa.Column("decision", TEXT, nullable=True),
        sa.Column("webhook_url", TEXT, nullable=True),
        sa.Column("webhook_secret", TEXT, nullable=False),
        sa.Column("previous_secret", TEXT, nullable=True),
        sa.Column("previous_secret_until", TIME, nullable=True),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("hits", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("purpose", TEXT, nullable=True),
        sa.Column("key_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.Column("created_by", TEXT, nullable=True),
        sa.Column("updated_at", TIME, server_default=NOW, nullable=False),
        sa.Column("expires_at", TIME, nullable=True),
        sa.CheckConstraint("min_score BETWEEN -1 AND 1", name=op.f("watches_min_score_check")),
        sa.CheckConstraint("decision IN ('match', 'possible')", name=op.f("watches_decision_check")),
        sa.CheckConstraint("num_nonnulls(min_score, decision) = 1", name=op.f("watches_threshold_check")),
        sa.CheckConstraint(
            "(previous_secret IS NULL) = (previous_secret_until IS NULL)", name=op.f("watches_previous_secret_check")
        ),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name=op.f("watches_collection_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("watches_pkey")),
    )
    op.create_index("watches_by_collection", "watches", ["collection_id", "id"])
    op.create_index("watches_by_model", "watches", ["model_id"])
    op.create_table(
        "watch_crops",
        sa.Column("watch_id", sa.Uuid(), nullable=False),
        sa.Column("crop_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["watch_id"], ["watches.id"], name=op.f("watch_crops_watch_id_fkey"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["crop_id"], ["crops.id"], name=op.f("watch_crops_crop_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("watch_id", "crop_id", name=op.f("watch_crops_pkey")),
    )
    op.create_index("watch_crops_by_crop", "watch_crops", ["crop_id"])
    op.create_table(
        "watch_cursors",
        sa.Column("model_id", TEXT, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("read_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("model_id", name=op.f("watch_cursors_pkey")),
    )


def _hits() -> None:
    op.create_table(
        "watch_hits",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("watch_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("crop_id", sa.Uuid(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(["crop_id"], ["crops.id"], name=op.f("watch_hits_crop_id_fkey"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["watch_id"], ["watches.id"], name=op.f("watch_hits_watch_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("watch_hits_pkey")),
        sa.UniqueConstraint("watch_id", "crop_id", name=op.f("watch_hits_watch_id_crop_id_key")),
        sa.UniqueConstraint("watch_id", "number", name=op.f("watch_hits_watch_id_number_key")),
    )
    op.create_index("watch_hits_by_crop", "watch_hits", ["crop_id"])


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("watch_id", sa.Uuid(), nullable=False),
        sa.Column("hit_id", sa.Uuid(), nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", TIME, nullable=True),
        sa.Column("last_attempt_at", TIME, nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", TEXT, nullable=True),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.Column("delivered_at", TIME, nullable=True),
        sa.CheckConstraint("state IN ('pending', 'delivered', 'dead')", name=op.f("deliveries_state_check")),
        sa.CheckConstraint(
            "(state = 'pending') = (next_attempt_at IS NOT NULL)", name=op.f("deliveries_next_attempt_at_check")
        ),
        sa.ForeignKeyConstraint(["hit_id"], ["watch_hits.id"], name=op.f("deliveries_hit_id_fkey"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["watch_id"], ["watches.id"], name=op.f("deliveries_watch_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("deliveries_pkey")),
    )
    pending, dead = sa.text("state = 'pending'"), sa.text("state = 'dead'")
    op.create_index("deliveries_by_watch", "deliveries", ["watch_id", "id"])
    op.create_index("deliveries_by_hit", "deliveries", ["hit_id"])
    op.create_index("deliveries_due", "deliveries", ["next_attempt_at"], postgresql_where=pending)
    op.create_index("deliveries_pending", "deliveries", ["watch_id", "next_attempt_at"], postgresql_where=pending)
    op.create_index("deliveries_dead", "deliveries", ["watch_id", "id"], postgresql_where=dead)
