"""Standing searches, what they found, and what is still to be told."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, Uuid, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from service.database.tables.base import Base


class Watch(Base):
    """A standing search: every crop enrolled after `sequence` is compared with its vector."""

    __tablename__ = "watches"
    __table_args__ = (CheckConstraint("min_score BETWEEN -1 AND 1", name="min_score"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    collection_id: Mapped[UUID] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"))
    name: Mapped[str]
    crop_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    model_id: Mapped[str]
    vector: Mapped[bytes] = mapped_column(LargeBinary)
    filter: Mapped[dict[str, Any]]
    min_score: Mapped[float]
    webhook_url: Mapped[str | None]
    webhook_secret: Mapped[str | None]
    paused: Mapped[bool]
    sequence: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_by: Mapped[str | None]
    expires_at: Mapped[datetime | None]


class WatchHit(Base):
    """A crop that a watch found; goes with the crop."""

    __tablename__ = "watch_hits"
    __table_args__ = (
        UniqueConstraint("watch_id", "crop_id"),
        Index("watch_hits_by_watch", "watch_id", "id"),
        Index("watch_hits_by_crop", "crop_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    watch_id: Mapped[UUID] = mapped_column(ForeignKey("watches.id", ondelete="CASCADE"))
    crop_id: Mapped[UUID] = mapped_column(ForeignKey("crops.id", ondelete="CASCADE"))
    score: Mapped[float]
    sequence: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Delivery(Base):
    """One hit on its way to the watch's webhook: pending, delivered, or dead after the last attempt."""

    __tablename__ = "deliveries"
    __table_args__ = (
        CheckConstraint("state IN ('pending', 'delivered', 'dead')", name="state"),
        Index("deliveries_due", "next_attempt_at", postgresql_where="state = 'pending'"),
        Index("deliveries_by_watch", "watch_id", "id"),
        Index("deliveries_by_hit", "hit_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    watch_id: Mapped[UUID] = mapped_column(ForeignKey("watches.id", ondelete="CASCADE"))
    hit_id: Mapped[UUID] = mapped_column(ForeignKey("watch_hits.id", ondelete="CASCADE"))
    state: Mapped[str]
    attempts: Mapped[int]
    next_attempt_at: Mapped[datetime | None]
    last_status: Mapped[int | None]
    last_error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    delivered_at: Mapped[datetime | None]
