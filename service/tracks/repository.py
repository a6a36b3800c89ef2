"""Tracks, which have no rows of their own: a track is the crops that share collection, camera, session and track id."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, Uuid, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from index.contract import Filter, Track
from service.cursors import foreign_cursor, make_cursor, make_time_cursor, read_cursor, read_time_cursor
from service.database.tables import Collection, Crop
from service.gallery.filter_repository import conditions, on_tracks
from service.gallery.records import CropRecord
from service.gallery.repository import GalleryRepository

_KEY = (Crop.camera_id, Crop.session_id, Crop.track_id)
_AT_ONCE = 100
"""Tracks in one query, which the server plans anew with a branch for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackSummary:
    """A track as a whole.

    Attributes:
        crops: Crops on it.
        first_captured_at: Earliest capture among them; None where no time is known.
        last_captured_at: Latest capture among them.
        vehicle_ids: Vehicle ids among them, claimed or confirmed, in order.
        best_crop_id: The crop with the largest picture, the earliest of several.
    """

    camera_id: str
    session_id: str | None
    track_id: str
    crops: int
    first_captured_at: datetime | None
    last_captured_at: datetime | None
    vehicle_ids: Sequence[str]
    best_crop_id: UUID


class TrackRepository:
    """Reads the tracks of one collection within one session."""

    def __init__(self, session: AsyncSession, collection_id: UUID) -> None:
        self._session = session
        self._collection_id = collection_id

    async def page(
        self, where: Filter, *, session_id: str | None, limit: int, cursor: str | None
    ) -> tuple[list[TrackSummary], str | None]:
        """Tracks in the order of camera, session (none last) and track id.

        Args:
            where: Conditions that one crop of a track must meet; the track is shown as a whole.
            session_id: Only tracks of this session.
            limit: How many at most.
            cursor: `next_cursor` of the page before; None for the first page.

        Returns:
            The tracks and the next page's cursor, None after the last page.

        Raises:
            InvalidValueError: The cursor is none of ours.
        """
        # The id beside the name, so that the server reads the index of tracks in its order and stops at the limit.
        keys = select(*_KEY).join(Collection, Collection.id == Crop.collection_id).distinct()
        keys = keys.where(Crop.collection_id == self._collection_id, Crop.track_id.is_not(None), *conditions(where))
        if session_id is not None:
            keys = keys.where(Crop.session_id == session_id)
        if cursor is not None:
            keys = keys.where(_after(cursor))
        rows: Sequence[Any] = (await self._session.execute(keys.order_by(*_KEY).limit(limit + 1))).all()
        tracks: list[Track] = [(row.camera_id, row.session_id, row.track_id) for row in rows]
        shown = tracks[:limit]
        summaries = [
            summary
            for start in range(0, len(shown), _AT_ONCE)
            for summary in await self._summaries(shown[start : start + _AT_ONCE])
        ]
        return summaries, make_cursor(*tracks[limit - 1]) if len(tracks) > limit else None

    async def track(self, key: Track) -> TrackSummary | None:
        """One track; None where no crop is on it."""
        found = await self._summaries([key])
        return found[0] if found else None

    async def crops(self, key: Track, *, limit: int, cursor: str | None) -> tuple[list[CropRecord], str | None]:
        """The crops of a track in the order of their capture, those without a time last.

        Returns:
            The crops and the next page's cursor, None after the last page.

        Raises:
            InvalidValueError: The cursor is none of ours.
        """
        query = self._on([key], Crop.id, Crop.captured_at)
        if cursor is not None:
            query = query.where(_captured_after(*read_time_cursor(cursor)))
        query = query.order_by(Crop.captured_at.asc().nulls_last(), Crop.id).limit(limit + 1)
        rows = (await self._session.execute(query)).all()
        records = await GalleryRepository(self._session).many(row.id for row in rows[:limit])
        crops = [records[row.id] for row in rows[:limit]]
        if len(rows) <= limit:
            return crops, None
        last = crops[-1]
        return crops, make_time_cursor(last.captured_at, last.id)

    async def _summaries(self, keys: Sequence[Track]) -> list[TrackSummary]:
        best = aggregate_order_by(Crop.id, (Crop.width * Crop.height).desc(), Crop.id)
        query = self._on(
            keys,
            *_KEY,
            func.count().label("crops"),
            func.min(Crop.captured_at).label("first_captured_at"),
            func.max(Crop.captured_at).label("last_captured_at"),
            func.array_remove(func.array_agg(Crop.vehicle_id.distinct()), None).label("vehicle_ids"),
            func.array_agg(best, type_=ARRAY(Uuid))[1].label("best_crop_id"),
        )
        rows = (await self._session.execute(query.group_by(*_KEY).order_by(*_KEY))).all()
        return [
            TrackSummary(
                camera_id=row.camera_id,
                session_id=row.session_id,
                track_id=row.track_id,
                crops=row.crops,
                first_captured_at=row.first_captured_at,
                last_captured_at=row.last_captured_at,
                vehicle_ids=sorted(row.vehicle_ids),
                best_crop_id=row.best_crop_id,
            )
            for row in rows
        ]

    def _on(self, keys: Sequence[Track], *columns: SQLColumnExpression[Any]) -> Select[*tuple[Any, ...]]:
        return select(*columns).where(Crop.collection_id == self._collection_id, on_tracks(keys))


def _after(cursor: str) -> ColumnElement[bool]:
    """Whether a crop's track comes after that of a cursor."""
    camera_id, session_id, track_id = read_cursor(cursor, 3)
    if camera_id is None or track_id is None:
        raise foreign_cursor()
    later: ColumnElement[bool]
    if session_id is None:
        later = Crop.session_id.is_(None) & (Crop.track_id > track_id)
    else:
        later = or_(
            Crop.session_id > session_id,
            Crop.session_id.is_(None),
            (Crop.session_id == session_id) & (Crop.track_id > track_id),
        )
    return (Crop.camera_id >= camera_id) & or_(Crop.camera_id > camera_id, later)


def _captured_after(captured_at: datetime | None, crop_id: UUID) -> ColumnElement[bool]:
    if captured_at is None:
        return Crop.captured_at.is_(None) & (Crop.id > crop_id)
    return or_(
        Crop.captured_at.is_(None),
        Crop.captured_at > captured_at,
        (Crop.captured_at == captured_at) & (Crop.id > crop_id),
    )
