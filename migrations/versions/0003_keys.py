"""API keys, and who is behind an entry of the audit log."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("prefix", sa.Text(collation="C"), nullable=False),
        sa.Column("secret_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("collections", postgresql.ARRAY(sa.Text(collation="C")), nullable=True),
        sa.Column("requests_per_minute", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by", sa.Text(collation="C"), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("replaced_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "scopes <@ ARRAY['enroll', 'search', 'read', 'delete', 'admin']", name=op.f("keys_scopes_check")
        ),
        sa.CheckConstraint("octet_length(secret_sha256) = 32", name=op.f("keys_secret_sha256_check")),
        sa.CheckConstraint("requests_per_minute > 0", name=op.f("keys_requests_per_minute_check")),
        sa.ForeignKeyConstraint(["replaced_by"], ["keys.id"], name=op.f("keys_replaced_by_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("keys_pkey")),
        sa.UniqueConstraint("prefix", name=op.f("keys_prefix_key")),
    )
    op.add_column("audit", sa.Column("key_id", sa.Uuid(), nullable=True))
    op.add_column("audit", sa.Column("key_name", sa.Text(collation="C"), nullable=True))
    op.add_column("audit", sa.Column("request_id", sa.Text(collation="C"), nullable=True))
    op.alter_column("audit", "collection", nullable=True)
    op.create_index("audit_by_collection", "audit", ["collection", "id"])


def downgrade() -> None:
    op.drop_index("audit_by_collection")
    op.execute("DELETE FROM audit WHERE collection IS NULL")  # the release before has no entry without one
    op.alter_column("audit", "collection", nullable=False)
    op.drop_column("audit", "request_id")
    op.drop_column("audit", "key_name")
    op.drop_column("audit", "key_id")
    op.drop_table("keys")
