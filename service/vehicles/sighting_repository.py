"""Sightings of a vehicle: its crops in time order, those that one camera took in a row put together."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    DateTime,
    Integer,
    Interval,
    Row,
    Subquery,
    Uuid,
    case,
    cast,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from service.cursors import make_time_cursor, read_time_cursor
from service.database.tables import Camera, Crop


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """What a camera saw of a vehicle in a row, with no other in between.

    Attributes:
        camera_id: The camera.
        session_id: Recording or tracker run; None where the crops have none.
        track_id: The track; None where the crops are on none.
        first_crop_id: Its first crop.
        first_captured_at: Capture of the first crop; None where the crops have no time.
        last_captured_at: Capture of the last one.
        crops: How many crops it is made of.
        confirmed_crops: How many of them a person confirmed.
        best_crop_id: The one with the largest picture, one whose picture is kept before others.
        camera_before: The camera of the sighting before; None of the first.
        left_before: Capture of the last crop of the sighting before.
    """

    camera_id: str
    session_id: str | None
    track_id: str | None
    first_crop_id: UUID
    first_captured_at: datetime | None
    last_captured_at: datetime | None
    crops: int
    confirmed_crops: int
    best_crop_id: UUID
    camera_before: str | None
    left_before: datetime | None


class SightingRepository:
    """Reads the sightings of vehicles of a collection within one session."""

    def __init__(self, session: AsyncSession, collection_id: UUID) -> None:
        self._session = session
        self._collection_id = collection_id

    async def page(
        self, vehicle_id: str, *, claimed: bool, longest_gap: timedelta, limit: int, cursor: str | None
    ) -> tuple[list[Stop], str | None]:
        """Sightings of a vehicle in time order, those without a time last.

        Args:
            vehicle_id: The vehicle.
            claimed: Whether crops count that nobody has confirmed.
            longest_gap: After a longer time without a crop a new sighting begins.
            limit: How many at most.
            cursor: `next_cursor` of the page before; None for the first page.

        Returns:
            The sightings and the next page's cursor, None after the last page.

        Raises:
            InvalidValueError: The cursor is none of ours.
        """
        stops = _stops(self._ordered(vehicle_id, claimed=claimed), longest_gap)
        begun, crop = stops.c.first_captured_at, stops.c.first_crop_id
        query = select(stops).order_by(begun.asc().nulls_last(), crop).limit(limit + 1)
        if cursor is not None:
            query = query.where(_after(begun, crop, *read_time_cursor(cursor)))
        found = list(map(_stop, await self._session.execute(query)))
        if len(found) <= limit:
            return found, None
        last = found[limit - 1]
        return found[:limit], make_time_cursor(last.first_captured_at, last.first_crop_id)

    async def cameras(self, camera_ids: set[str]) -> dict[str, Camera]:
        """Cameras of the collection by id."""
        wanted = select(Camera).where(Camera.collection_id == self._collection_id, Camera.camera_id.in_(camera_ids))
        return {camera.camera_id: camera for camera in await self._session.scalars(wanted)}

    def _ordered(self, vehicle_id: str, *, claimed: bool) -> CTE:
        """The vehicle's crops, each with the one before it."""
        in_turn = (Crop.captured_at.asc().nulls_last(), Crop.id)
        query = select(
            Crop.id,
            Crop.camera_id,
            Crop.session_id,
            Crop.track_id,
            Crop.captured_at,
            Crop.vehicle_confirmed,
            Crop.has_image,
            (Crop.width * Crop.height).label("area"),
            func.lag(Crop.camera_id).over(order_by=in_turn).label("camera_before"),
            func.lag(Crop.session_id).over(order_by=in_turn).label("session_before"),
            func.lag(Crop.track_id).over(order_by=in_turn).label("track_before"),
            func.lag(Crop.captured_at).over(order_by=in_turn).label("captured_before"),
        ).where(Crop.collection_id == self._collection_id, Crop.vehicle_id == vehicle_id)
        return (query if claimed else query.where(Crop.vehicle_confirmed)).cte("crops_in_turn")


def _stops(crops: CTE, longest_gap: timedelta) -> Subquery:
    """The sightings that crops in turn make up, each with the end of the one before it."""
    time, before = crops.c.captured_at, crops.c.captured_before
    begins = or_(
        crops.c.camera_id.is_distinct_from(crops.c.camera_before),
        crops.c.session_id.is_distinct_from(crops.c.session_before),
        crops.c.track_id.is_distinct_from(crops.c.track_before),
        time.is_(None) != before.is_(None),
        func.coalesce(time - before > cast(literal(longest_gap, Interval), Interval), False),
    )
    so_far = func.sum(case((begins, 1), else_=0)).over(order_by=(time.asc().nulls_last(), crops.c.id))
    numbered = select(crops, cast(so_far, Integer).label("number")).subquery()
    by_time = (numbered.c.captured_at, numbered.c.id)
    by_size = (numbered.c.has_image.desc(), numbered.c.area.desc(), numbered.c.id)
    key = (numbered.c.camera_id, numbered.c.session_id, numbered.c.track_id)
    stops = (
        select(
            numbered.c.number,
            *key,
            _first(numbered.c.id, by_time).label("first_crop_id"),
            func.min(numbered.c.captured_at).label("first_captured_at"),
            func.max(numbered.c.captured_at).label("last_captured_at"),
            func.count().label("crops"),
            func.count().filter(numbered.c.vehicle_confirmed).label("confirmed_crops"),
            _first(numbered.c.id, by_size).label("best_crop_id"),
        )
        .group_by(numbered.c.number, *key)
        .subquery()
    )
    return select(
        *(column for column in stops.c if column.key != "number"),
        func.lag(stops.c.camera_id).over(order_by=stops.c.number).label("camera_before"),
        func.lag(stops.c.last_captured_at).over(order_by=stops.c.number).label("left_before"),
    ).subquery()


def _first(ids: ColumnElement[UUID], order: tuple[ColumnElement[Any], ...]) -> ColumnElement[UUID]:
    return func.array_agg(aggregate_order_by(ids, *order), type_=ARRAY(Uuid))[1]


def _after(
    begun: ColumnElement[datetime | None], crop: ColumnElement[UUID], time: datetime | None, crop_id: UUID
) -> ColumnElement[bool]:
    if time is None:
        return begun.is_(None) & (crop > crop_id)
    at = literal(time, DateTime(timezone=True))
    return or_(begun.is_(None), begun > at, (begun == at) & (crop > crop_id))


def _stop(row: Row[*tuple[Any, ...]]) -> Stop:
    return Stop(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name of it
