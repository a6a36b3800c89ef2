"""Collections, cameras, crops and their embeddings."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    UniqueConstraint,
    false,
    func,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from service.database.tables.base import Base


class Installation(Base):
    """One row, written by the first migration: the identity that ties a crop store to this database."""

    __tablename__ = "installation"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid())


class Collection(Base):
    """A gallery that is searched on its own. Its vectors all come from one model."""

    __tablename__ = "collections"
    __table_args__ = (
        CheckConstraint("codec IN ('fp32', 'fp16', 'sq8', 'rabitq')", name="codec"),
        CheckConstraint("retention_days > 0", name="retention_days"),
        CheckConstraint("jsonb_typeof(quality_floor) = 'object'", name="quality_floor"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    model_id: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    codec: Mapped[str | None]
    description: Mapped[str | None]
    retention_days: Mapped[float | None]
    quality_floor: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    keep_images: Mapped[bool] = mapped_column(server_default=true())
    require_purpose: Mapped[bool] = mapped_column(server_default=false())


class Camera(Base):
    """A camera of a collection; appears at its first crop."""

    __tablename__ = "cameras"
    __table_args__ = (
        CheckConstraint("(latitude IS NULL) = (longitude IS NULL)", name="place"),
        CheckConstraint("latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180", name="coordinates"),
    )

    collection_id: Mapped[UUID] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True)
    camera_id: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    name: Mapped[str | None]
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]


class Crop(Base):
    """One enrolled vehicle crop: what was seen, where and when. The picture itself lies in the crop store.

    Neither a camera nor a collection that still holds crops can be removed: crops are only ever deleted one by one,
    together with the line of the change log that makes every index forget them.
    """

    __tablename__ = "crops"
    __table_args__ = (
        ForeignKeyConstraint(["collection_id", "camera_id"], ["cameras.collection_id", "cameras.camera_id"]),
        UniqueConstraint("collection_id", "external_id"),
        CheckConstraint("jsonb_typeof(attributes) = 'object'", name="attributes"),
        CheckConstraint("cardinality(bbox) = 4", name="bbox"),
        CheckConstraint("octet_length(image_sha256) = 32", name="image_sha256"),
        CheckConstraint("width > 0 AND height > 0", name="size"),
        Index("crops_by_id", "collection_id", "id"),
        Index("crops_by_time", "collection_id", "captured_at"),
        Index("crops_by_camera", "collection_id", "camera_id", "captured_at"),
        Index("crops_by_vehicle", "collection_id", "vehicle_id"),
        Index("crops_by_track", "collection_id", "camera_id", "session_id", "track_id"),
        Index(
            "crops_by_attributes", "attributes", postgresql_using="gin", postgresql_ops={"attributes": "jsonb_path_ops"}
        ),
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
    has_image: Mapped[bool] = mapped_column(server_default=true())
    vehicle_confirmed: Mapped[bool] = mapped_column(server_default=false())


class PictureToRemove(Base):
    """The picture of a crop that is deleted, until it has left the store, too."""

    __tablename__ = "pictures_to_remove"

    crop_id: Mapped[UUID] = mapped_column(primary_key=True)


class Embedding(Base):
    """The vector of a crop under one model: unit length, little-endian fp16."""

    __tablename__ = "embeddings"
    __table_args__ = (CheckConstraint("octet_length(vector) > 0 AND mod(octet_length(vector), 2) = 0", name="vector"),)

    crop_id: Mapped[UUID] = mapped_column(ForeignKey("crops.id", ondelete="CASCADE"), primary_key=True)
    model_id: Mapped[str] = mapped_column(primary_key=True)
    vector: Mapped[bytes] = mapped_column(LargeBinary)
