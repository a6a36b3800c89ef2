"""Standing searches, their hits and deliveries."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "watches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("collection_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("crop_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("model_id", sa.Text(collation="C"), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("filter", postgresql.JSONB(), nullable=False),
        sa.Column("min_score", sa.Double(), nullable=False),
        sa.Column("webhook_url", sa.Text(collation="C"), nullable=True),
        sa.Column("webhook_secret", sa.Text(collation="C"), nullable=True),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by", sa.Text(collation="C"), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("min_score BETWEEN -1 AND 1", name=op.f("watches_min_score_check")),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name=op.f("watches_collection_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("watches_pkey")),
    )
    op.create_table(
        "watch_hits",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("watch_id", sa.Uuid(), nullable=False),
        sa.Column("crop_id", sa.Uuid(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["crop_id"], ["crops.id"], name=op.f("watch_hits_crop_id_fkey"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["watch_id"], ["watches.id"], name=op.f("watch_hits_watch_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("watch_hits_pkey")),
        sa.UniqueConstraint("watch_id", "crop_id", name=op.f("watch_hits_watch_id_crop_id_key")),
    )
    op.create_index("watch_hits_by_watch", "watch_hits", ["watch_id", "id"])
    op.create_index("watch_hits_by_crop", "watch_hits", ["crop_id"])
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("watch_id", sa.Uuid(), nullable=False),
        sa.Column("hit_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(collation="C"), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.Text(collation="C"), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('pending', 'delivered', 'dead')", name=op.f("deliveries_state_check")),
        sa.ForeignKeyConstraint(["hit_id"], ["watch_hits.id"], name=op.f("deliveries_hit_id_fkey"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["watch_id"], ["watches.id"], name=op.f("deliveries_watch_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("deliveries_pkey")),
    )
    op.create_index("deliveries_by_watch", "deliveries", ["watch_id", "id"])
    op.create_index("deliveries_by_hit", "deliveries", ["hit_id"])
    op.create_index("deliveries_due", "deliveries", ["next_attempt_at"], postgresql_where=sa.text("state = 'pending'"))


def downgrade() -> None:
    op.drop_table("deliveries")
    op.drop_table("watch_hits")
    op.drop_table("watches")
