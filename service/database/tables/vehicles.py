"""Confirmed vehicles, what people said of pairs of crops, and what was learnt from it about scores."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from service.database.tables.base import Base


class Vehicle(Base):
    """An identity that a person confirmed. Its crops are those of the collection that carry its vehicle_id."""

    __tablename__ = "vehicles"
    __table_args__ = (CheckConstraint("jsonb_typeof(attributes) = 'object'", name="attributes"),)

    collection_id: Mapped[UUID] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True)
    vehicle_id: Mapped[str] = mapped_column(primary_key=True)
    label: Mapped[str | None]
    notes: Mapped[str | None]
    attributes: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_by: Mapped[str | None]


class Judgement(Base):
    """A person's word on whether two pictures show one vehicle; the first may be a query that is not stored.

    Where vehicle_id is there, it is a word on whether the crop shows that confirmed vehicle, too.
    """

    __tablename__ = "judgements"
    __table_args__ = (
        ForeignKeyConstraint(
            ["collection_id", "vehicle_id"],
            ["vehicles.collection_id", "vehicles.vehicle_id"],
            ondelete="SET NULL (vehicle_id)",
        ),
        CheckConstraint("score BETWEEN -1 AND 1", name="score"),
        Index("judgements_by_collection", "collection_id", "id"),
        Index("judgements_by_crop", "crop_id"),
        Index("judgements_by_query_crop", "query_crop_id"),
        Index("judgements_by_vehicle", "collection_id", "vehicle_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    collection_id: Mapped[UUID] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"))
    crop_id: Mapped[UUID] = mapped_column(ForeignKey("crops.id", ondelete="CASCADE"))
    query_crop_id: Mapped[UUID | None] = mapped_column(ForeignKey("crops.id", ondelete="CASCADE"))
    vehicle_id: Mapped[str | None]
    same: Mapped[bool]
    score: Mapped[float]
    model_id: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_by: Mapped[str | None]


class Calibration(Base):
    """What scores of a collection and model mean.

    intercept + slope * score is the natural logarithm of how much oftener pairs of one vehicle have a score than pairs
    of two. `measured` holds what cross-validation found.
    """

    __tablename__ = "calibrations"
    __table_args__ = (CheckConstraint("possible_score <= match_score", name="order"),)

    collection_id: Mapped[UUID] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True)
    model_id: Mapped[str] = mapped_column(primary_key=True)
    intercept: Mapped[float]
    slope: Mapped[float]
    match_score: Mapped[float]
    possible_score: Mapped[float]
    false_match_rate: Mapped[float]
    false_non_match_rate: Mapped[float]
    same_pairs: Mapped[int]
    different_pairs: Mapped[int]
    vehicles: Mapped[int]
    measured: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_by: Mapped[str | None]
