"""API keys, who is behind an entry of the audit log, and that the log is only ever added to."""

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
    op.drop_index("audit_by_time")
    op.create_index("audit_by_time", "audit", ["at", "id"])
    op.create_index("audit_by_collection", "audit", ["collection", "at", "id"])
    op.create_index("audit_by_key", "audit", ["key_id", "at", "id"])
    op.create_index("audit_by_crop", "audit", ["crop_ids"], postgresql_using="gin")
    op.execute(
        "CREATE FUNCTION audit_refuse_changes() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only: % is refused', TG_OP "
        "USING ERRCODE = 'insufficient_privilege'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_changes()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER audit_append_only ON audit")
    op.execute("DROP FUNCTION audit_refuse_changes()")
    op.drop_index("audit_by_crop")
    op.drop_index("audit_by_key")
    op.drop_index("audit_by_collection")
    op.drop_index("audit_by_time")
    op.create_index("audit_by_time", "audit", ["at"])
    op.execute("DELETE FROM audit WHERE collection IS NULL")  # the release before has no entry without one
    op.alter_column("audit", "collection", nullable=False)
    op.drop_column("audit", "request_id")
    op.drop_column("audit", "key_name")
    op.drop_column("audit", "key_id")
    op.drop_table("keys")
