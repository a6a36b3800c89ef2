"""Collections, cameras, crops, their embeddings, the change log and the audit log."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(sa.schema.CreateSequence(sa.Sequence("change_sequence")))
    op.create_table(
        "audit",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("action", sa.Text(collation="C"), nullable=False),
        sa.Column("collection", sa.Text(collation="C"), nullable=False),
        sa.Column("purpose", sa.Text(collation="C"), nullable=True),
        sa.Column("filter", postgresql.JSONB(), nullable=False),
        sa.Column("crop_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("audit_pkey")),
    )
    op.create_index("audit_by_time", "audit", ["at"])
    op.create_table(
        "changes",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("collection_id", sa.Uuid(), nullable=False),
        sa.Column("crop_id", sa.Uuid(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("changes_pkey")),
    )
    op.create_table(
        "collections",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("model_id", sa.Text(collation="C"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("collections_pkey")),
        sa.UniqueConstraint("name", name=op.f("collections_name_key")),
    )
    op.create_table(
        "installation",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("installation_pkey")),
    )
    op.create_table(
        "cameras",
        sa.Column("collection_id", sa.Uuid(), nullable=False),
        sa.Column("camera_id", sa.Text(collation="C"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name=op.f("cameras_collection_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("collection_id", "camera_id", name=op.f("cameras_pkey")),
    )
    op.create_table(
        "crops",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("collection_id", sa.Uuid(), nullable=False),
        sa.Column("camera_id", sa.Text(collation="C"), nullable=False),
        sa.Column("captured_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("session_id", sa.Text(collation="C"), nullable=True),
        sa.Column("track_id", sa.Text(collation="C"), nullable=True),
        sa.Column("vehicle_id", sa.Text(collation="C"), nullable=True),
        sa.Column("external_id", sa.Text(collation="C"), nullable=True),
        sa.Column("attributes", postgresql.JSONB(), nullable=False),
        sa.Column("bbox", postgresql.ARRAY(sa.Double()), nullable=True),
        sa.Column("image_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("media_type", sa.Text(collation="C"), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("jsonb_typeof(attributes) = 'object'", name=op.f("crops_attributes_check")),
        sa.CheckConstraint("cardinality(bbox) = 4", name=op.f("crops_bbox_check")),
        sa.CheckConstraint("octet_length(image_sha256) = 32", name=op.f("crops_image_sha256_check")),
        sa.CheckConstraint("width > 0 AND height > 0", name=op.f("crops_size_check")),
        sa.ForeignKeyConstraint(
            ["collection_id", "camera_id"],
            ["cameras.collection_id", "cameras.camera_id"],
            name=op.f("crops_collection_id_camera_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("crops_pkey")),
        sa.UniqueConstraint("collection_id", "external_id", name=op.f("crops_collection_id_external_id_key")),
    )
    op.create_index(
        "crops_by_attributes",
        "crops",
        ["attributes"],
        postgresql_using="gin",
        postgresql_ops={"attributes": "jsonb_path_ops"},
    )
    op.create_index("crops_by_camera", "crops", ["collection_id", "camera_id", "captured_at"])
    op.create_index("crops_by_id", "crops", ["collection_id", "id"])
    op.create_index("crops_by_time", "crops", ["collection_id", "captured_at"])
    op.create_index("crops_by_track", "crops", ["collection_id", "camera_id", "session_id", "track_id"])
    op.create_index("crops_by_vehicle", "crops", ["collection_id", "vehicle_id"])
    op.create_table(
        "embeddings",
        sa.Column("crop_id", sa.Uuid(), nullable=False),
        sa.Column("model_id", sa.Text(collation="C"), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "octet_length(vector) > 0 AND mod(octet_length(vector), 2) = 0", name=op.f("embeddings_vector_check")
        ),
        sa.ForeignKeyConstraint(["crop_id"], ["crops.id"], name=op.f("embeddings_crop_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("crop_id", "model_id", name=op.f("embeddings_pkey")),
    )
    op.execute("INSERT INTO installation DEFAULT VALUES")


def downgrade() -> None:
    op.drop_table("embeddings")
    op.drop_table("crops")
    op.drop_table("cameras")
    op.drop_table("installation")
    op.drop_table("collections")
    op.drop_table("changes")
    op.drop_table("audit")
    op.execute(sa.schema.DropSequence(sa.Sequence("change_sequence")))
