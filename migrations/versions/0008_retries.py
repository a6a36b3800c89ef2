"""When a job that had to wait is tried again, and pictures that are to be removed after their rows."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "pictures_to_remove",
        sa.Column("crop_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("crop_id", name=op.f("pictures_to_remove_pkey")),
    )


def downgrade() -> None:
    op.drop_table("pictures_to_remove")
    op.drop_column("jobs", "retry_at")
