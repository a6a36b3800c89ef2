"""What a collection keeps and refuses, and where a camera stands."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("cameras", sa.Column("name", sa.Text(collation="C"), nullable=True))
    op.add_column("cameras", sa.Column("latitude", sa.Double(), nullable=True))
    op.add_column("cameras", sa.Column("longitude", sa.Double(), nullable=True))
    op.add_column("collections", sa.Column("description", sa.Text(collation="C"), nullable=True))
    op.add_column("collections", sa.Column("retention_days", sa.Double(), nullable=True))
    op.add_column(
        "collections", sa.Column("quality_floor", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False)
    )
    op.add_column("collections", sa.Column("keep_images", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column("collections", sa.Column("require_purpose", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_check_constraint(op.f("collections_retention_days_check"), "collections", "retention_days > 0")
    op.create_check_constraint(
        op.f("collections_quality_floor_check"), "collections", "jsonb_typeof(quality_floor) = 'object'"
    )
    op.create_check_constraint(op.f("cameras_place_check"), "cameras", "(latitude IS NULL) = (longitude IS NULL)")
    op.create_check_constraint(
        op.f("cameras_coordinates_check"), "cameras", "latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180"
    )


def downgrade() -> None:
    op.drop_column("collections", "require_purpose")
    op.drop_column("collections", "keep_images")
    op.drop_column("collections", "quality_floor")
    op.drop_column("collections", "retention_days")
    op.drop_column("collections", "description")
    op.drop_column("cameras", "longitude")
    op.drop_column("cameras", "latitude")
    op.drop_column("cameras", "name")
