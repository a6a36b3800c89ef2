"""The tables. PostgreSQL is the truth: rows, vectors and the change log that every index follows."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    Sequence,
    Text,
    UniqueConstraint,
    Uuid,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

CHANGE_SEQUENCE = Sequence("change_sequence")


class Base(DeclarativeBase):
    """Base of every table; times are stored with time zone."""

    type_annotation_map = {datetime: DateTime(timezone=True), str: Text, dict[str, Any]: JSONB}  # noqa: RUF012


class Collection(Base):
    """A gallery that is searched on its own. Its vectors all come from one model."""

    __tablename__ = "collections"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    model_id: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Camera(Base):
    """A camera of a collection; appears at its first crop."""

    __tablename__ = "cameras"

    collection_id: Mapped[UUID] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True)
    camera_id: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Crop(Base):
    """One enrolled vehicle crop: what was seen, where and when. The picture itself lies in the crop store."""

    __tablename__ = "crops"
    __table_args__ = (
        ForeignKeyConstraint(["collection_id", "camera_id"], ["cameras.collection_id", "cameras.camera_id"]),
        UniqueConstraint("collection_id", "external_id"),
        Index("crops_by_time", "collection_id", "captured_at"),
        Index("crops_by_camera", "collection_id", "camera_id", "captured_at"),
        Index("crops_by_vehicle", "collection_id", "vehicle_id"),
        Index("crops_by_track", "collection_id", "camera_id", "session_id", "track_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    collection_id: Mapped[UUID]
    camera_id: Mapped[str]
    captured_at: Mapped[datetime | None]
    session_id: Mapped[str | None]
    track_id: Mapped[str | None]
    vehicle_id: Mapped[str | None]
    external_id: Mapped[str | None]
    attributes: Mapped[dict[str, Any]]
    bbox: Mapped[list[float] | None] = mapped_column(ARRAY(Double))
    image_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    media_type: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Embedding(Base):
    """The vector of a crop under one model: unit length, little-endian fp16."""

    __tablename__ = "embeddings"

    crop_id: Mapped[UUID] = mapped_column(ForeignKey("crops.id", ondelete="CASCADE"), primary_key=True)
    model_id: Mapped[str] = mapped_column(primary_key=True)
    vector: Mapped[bytes] = mapped_column(LargeBinary)


class Change(Base):
    """One line of the change log. Numbers are given in commit order, so a cursor never skips a late commit."""

    __tablename__ = "changes"

    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    collection_id: Mapped[UUID]
    crop_id: Mapped[UUID]
    deleted: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class AuditEntry(Base):
    """Who searched what, when and why. Rows are only ever added."""

    __tablename__ = "audit"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    action: Mapped[str]
    collection: Mapped[str]
    purpose: Mapped[str | None]
    filter: Mapped[dict[str, Any]]
    crop_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
