"""Confirmed vehicles, judgements of pairs, calibrations, and crops without a picture."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calibrations",
        sa.Column("collection_id", sa.Uuid(), nullable=False),
        sa.Column("model_id", sa.Text(collation="C"), nullable=False),
        sa.Column("intercept", sa.Double(), nullable=False),
        sa.Column("slope", sa.Double(), nullable=False),
        sa.Column("match_score", sa.Double(), nullable=False),
        sa.Column("possible_score", sa.Double(), nullable=False),
        sa.Column("false_match_rate", sa.Double(), nullable=False),
        sa.Column("false_non_match_rate", sa.Double(), nullable=False),
        sa.Column("same_pairs", sa.Integer(), nullable=False),
        sa.Column("different_pairs", sa.Integer(), nullable=False),
        sa.Column("vehicles", sa.Integer(), nullable=False),
        sa.Column("measured", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by", sa.Text(collation="C"), nullable=True),
        sa.CheckConstraint("possible_score <= match_score", name=op.f("calibrations_order_check")),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name=op.f("calibrations_collection_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("collection_id", "model_id", name=op.f("calibrations_pkey")),
    )
    op.create_table(
        "vehicles",
        sa.Column("collection_id", sa.Uuid(), nullable=False),
        sa.Column("vehicle_id", sa.Text(collation="C"), nullable=False),
        sa.Column("label", sa.Text(collation="C"), nullable=True),
        sa.Column("notes", sa.Text(collation="C"), nullable=True),
        sa.Column("attributes", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by", sa.Text(collation="C"), nullable=True),
        sa.CheckConstraint("jsonb_typeof(attributes) = 'object'", name=op.f("vehicles_attributes_check")),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name=op.f("vehicles_collection_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("collection_id", "vehicle_id", name=op.f("vehicles_pkey")),
    )
    op.create_table(
        "judgements",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("collection_id", sa.Uuid(), nullable=False),
        sa.Column("crop_id", sa.Uuid(), nullable=False),
        sa.Column("query_crop_id", sa.Uuid(), nullable=True),
        sa.Column("vehicle_id", sa.Text(collation="C"), nullable=True),
        sa.Column("same", sa.Boolean(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("model_id", sa.Text(collation="C"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by", sa.Text(collation="C"), nullable=True),
        sa.CheckConstraint("score BETWEEN -1 AND 1", name=op.f("judgements_score_check")),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name=op.f("judgements_collection_id_fkey"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["crop_id"], ["crops.id"], name=op.f("judgements_crop_id_fkey"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["query_crop_id"], ["crops.id"], name=op.f("judgements_query_crop_id_fkey"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["collection_id", "vehicle_id"],
            ["vehicles.collection_id", "vehicles.vehicle_id"],
            name=op.f("judgements_collection_id_vehicle_id_fkey"),
            ondelete="SET NULL (vehicle_id)",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("judgements_pkey")),
    )
    op.create_index("judgements_by_collection", "judgements", ["collection_id", "id"])
    op.create_index("judgements_by_crop", "judgements", ["crop_id"])
    op.create_index("judgements_by_query_crop", "judgements", ["query_crop_id"])
    op.create_index("judgements_by_vehicle", "judgements", ["collection_id", "vehicle_id"])
    op.add_column("crops", sa.Column("has_image", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column("crops", sa.Column("vehicle_confirmed", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column("crops", "vehicle_confirmed")
    op.drop_column("crops", "has_image")
    op.drop_table("judgements")
    op.drop_table("vehicles")
    op.drop_table("calibrations")
