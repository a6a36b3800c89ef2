"""Counts over whole collections."""

from collections.abc import Collection as Group
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from service.database.tables import Camera, Collection, Crop, Vehicle


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionCounts:
    """How much a collection holds.

    Attributes:
        crops: Crops.
        images: Crops whose picture is kept.
        first_captured_at: Earliest capture; None where no time is known.
        last_captured_at: Latest capture.
        cameras: Cameras, those without crops included.
        tracks: Tracks.
        vehicles: Vehicles that a person has confirmed.
    """

    name: str
    model_id: str
    crops: int
    images: int
    first_captured_at: datetime | None
    last_captured_at: datetime | None
    cameras: int
    tracks: int
    vehicles: int


class StatsRepository:
    """Counts within one session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def page(
        self, names: Group[str] | None, *, limit: int, cursor: str | None
    ) -> tuple[list[CollectionCounts], str | None]:
        """Counts of collections in the order of their names. It reads every row of theirs.

        Args:
            names: Only these collections; None for all.
            limit: How many at most.
            cursor: `next_cursor` of the page before; None for the first page.

        Returns:
            The counts and the next page's cursor, None after the last page.
        """
        page = select(Collection.id, Collection.name, Collection.model_id).order_by(Collection.name).limit(limit + 1)
        if names is not None:
            page = page.where(Collection.name.in_(names))
        if cursor is not None:
            page = page.where(Collection.name > cursor)
        found = (await self._session.execute(page)).all()
        shown = [row.id for row in found[:limit]]
        counted = [CollectionCounts(**row._mapping) for row in await self._session.execute(_counts(shown))]  # noqa: SLF001 - public
        return counted, found[limit - 1].name if len(found) > limit else None


def _counts(collection_ids: Sequence[UUID]) -> Select[*tuple[Any, ...]]:
    """Counts of some collections in the order of their names."""
    of_collection = Crop.collection_id == Collection.id
    crops = (
        select(
            func.count().label("crops"),
            func.count().filter(Crop.has_image).label("images"),
            func.min(Crop.captured_at).label("first_captured_at"),
            func.max(Crop.captured_at).label("last_captured_at"),
        )
        .where(of_collection)
        .lateral()
    )
    # Grouped in the order of an index, where counting distinct rows would sort them all.
    tracks = select(Crop.camera_id).where(of_collection, Crop.track_id.is_not(None))
    tracks = tracks.group_by(Crop.camera_id, Crop.session_id, Crop.track_id).correlate(Collection)
    return (
        select(
            Collection.name,
            Collection.model_id,
            *crops.c,
            _count(Camera.collection_id).label("cameras"),
            select(func.count()).select_from(tracks.lateral()).scalar_subquery().label("tracks"),
            _count(Vehicle.collection_id).label("vehicles"),
        )
        .join(crops, onclause=true())
        .where(Collection.id.in_(collection_ids))
        .order_by(Collection.name)
    )


def _count(owner: InstrumentedAttribute[UUID]) -> ColumnElement[int]:
    """Rows of a table that belong to the collection."""
    return select(func.count()).where(owner == Collection.id).correlate(Collection).scalar_subquery()
