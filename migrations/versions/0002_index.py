"""A line of the change log for what expired, and the codec of a collection."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("changes", "crop_id", nullable=True)
    op.add_column("changes", sa.Column("expired_before", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f("changes_subject_check"),
        "changes",
        "num_nonnulls(crop_id, expired_before) = 1 AND (deleted OR crop_id IS NOT NULL)",
    )
    op.add_column("collections", sa.Column("codec", sa.Text(collation="C"), nullable=True))
    op.create_check_constraint(
        op.f("collections_codec_check"), "collections", "codec IN ('fp32', 'fp16', 'sq8', 'rabitq')"
    )


def downgrade() -> None:
    op.drop_column("collections", "codec")
    # The release before knows no line for what expired, and an index that read on past one taken out would keep what
    # it is to forget. So the log begins anew at its newest line; an index that stands before it is built from the rows.
    op.execute("DELETE FROM changes WHERE sequence < (SELECT max(sequence) FROM changes)")
    op.drop_constraint(op.f("changes_subject_check"), "changes")
    op.execute("UPDATE changes SET crop_id = gen_random_uuid() WHERE crop_id IS NULL")
    op.drop_column("changes", "expired_before")
    op.alter_column("changes", "crop_id", nullable=False)
