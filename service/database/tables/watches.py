"""Standing searches, what they found, and what is still to be told."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from service.database.tables.base import Base


class Watch(Base):
    """A standing search: every crop enrolled after `sequence` is compared with its query.

    The query is the crops of `watch_crops`, or, where it was made of pictures that are kept nowhere, `vector`.
    """

    __tablename__ = "watches"
    __table_args__ = (
        CheckConstraint("min_score BETWEEN -1 AND 1", name="min_score"),
        CheckConstraint("decision IN ('match', 'possible')", name="decision"),
        CheckConstraint("num_nonnulls(min_score, decision) = 1", name="threshold"),
        CheckConstraint("(previous_secret IS NULL) = (previous_secret_until IS NULL)", name="previous_secret"),
        Index("watches_by_collection", "collection_id", "id"),
        Index("watches_by_model", "model_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    collection_id: Mapped[UUID] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"))
    name: Mapped[str]
    model_id: Mapped[str]
    vector: Mapped[bytes | None] = mapped_column(LargeBinary)
    filter: Mapped[dict[str, Any]]
    exclude_same_track: Mapped[bool]
    min_score: Mapped[float | None]
    decision: Mapped[str | None]
    webhook_url: Mapped[str | None]
    webhook_secret: Mapped[str]
    previous_secret: Mapped[str | None]
    previous_secret_until: Mapped[datetime | None]
    paused: Mapped[bool]
    sequence: Mapped[int] = mapped_column(BigInteger)
    started_at: Mapped[datetime]
    hits: Mapped[int] = mapped_column(BigInteger, server_default="0")
    purpose: Mapped[str | None]
    key_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_by: Mapped[str | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]


class WatchCrop(Base):
    """A crop that a watch looks for; goes with the crop, and what was made of it with it."""

    __tablename__ = "watch_crops"
    __table_args__ = (Index("watch_crops_by_crop", "crop_id"),)

    watch_id: Mapped[UUID] = mapped_column(ForeignKey("watches.id", ondelete="CASCADE"), primary_key=True)
    crop_id: Mapped[UUID] = mapped_column(ForeignKey("crops.id", ondelete="CASCADE"), primary_key=True)


class WatchCursor(Base):
    """How far the watches of a model have read the change log. Whoever holds this row evaluates them, or changes one.

    `revision` grows with every change of a watch, so that a process knows whether those that it holds are current.
    """

    __tablename__ = "watch_cursors"

    model_id: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    revision: Mapped[int] = mapped_column(BigInteger)
    read_at: Mapped[datetime]


class WatchHit(Base):
    """A crop that a watch found; goes with the crop. `number` counts the hits of the watch."""

    __tablename__ = "watch_hits"
    __table_args__ = (
        UniqueConstraint("watch_id", "crop_id"),
        UniqueConstraint("watch_id", "number"),
        Index("watch_hits_by_crop", "crop_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    watch_id: Mapped[UUID] = mapped_column(ForeignKey("watches.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(BigInteger)
    crop_id: Mapped[UUID] = mapped_column(ForeignKey("crops.id", ondelete="CASCADE"))
    score: Mapped[float]
    sequence: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Delivery(Base):
    """One hit on its way to the watch's webhook: pending, delivered, or dead after the last attempt."""

    __tablename__ = "deliveries"
    __table_args__ = (
        CheckConstraint("state IN ('pending', 'delivered', 'dead')", name="state"),
        CheckConstraint("(state = 'pending') = (next_attempt_at IS NOT NULL)", name="next_attempt_at"),
        Index("deliveries_due", "next_attempt_at", postgresql_where="state = 'pending'"),
        Index("deliveries_pending", "watch_id", "next_attempt_at", postgresql_where="state = 'pending'"),
        Index("deliveries_dead", "watch_id", "id", postgresql_where="state = 'dead'"),
        Index("deliveries_by_watch", "watch_id", "id"),
        Index("deliveries_by_hit", "hit_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    watch_id: Mapped[UUID] = mapped_column(ForeignKey("watches.id", ondelete="CASCADE"))
    hit_id: Mapped[UUID] = mapped_column(ForeignKey("watch_hits.id", ondelete="CASCADE"))
    state: Mapped[str]
    attempts: Mapped[int]
    next_attempt_at: Mapped[datetime | None]
    last_attempt_at: Mapped[datetime | None]
    last_status: Mapped[int | None]
    last_error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    delivered_at: Mapped[datetime | None]
