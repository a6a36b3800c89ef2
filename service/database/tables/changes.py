"""The change log that every index follows."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Sequence, func
from sqlalchemy.orm import Mapped, mapped_column

from service.database.tables.base import METADATA, Base

CHANGE_SEQUENCE = Sequence("change_sequence", metadata=METADATA)


class Change(Base):
    """One line of the change log. Numbers are given in commit order, so a cursor never skips a late commit.

    A line names one crop, or says that every crop of the collection captured before a time was deleted. It outlives
    what it names, so it refers to no other table. Lines that are old enough are trimmed.
    """

    __tablename__ = "changes"
    __table_args__ = (
        CheckConstraint(
            "num_nonnulls(crop_id, expired_before) = 1 AND (deleted OR crop_id IS NOT NULL)", name="subject"
        ),
    )

    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    collection_id: Mapped[UUID]
    crop_id: Mapped[UUID | None]
    deleted: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expired_before: Mapped[datetime | None]
