"""Rows of the cameras."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, delete, func, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from service.database.tables import Camera, Crop


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSummary:
    """A camera of a collection and what it has seen.

    Attributes:
        name: What people call it; None where nobody has said.
        latitude: Degrees north, WGS 84; None where the place is not known, and then the longitude is too.
        longitude: Degrees east, WGS 84.
        created_at: When it appeared or was announced.
        crops: Crops that it holds now.
        first_captured_at: Earliest capture among them; None where no time is known.
        last_captured_at: Latest capture among them.
    """

    camera_id: str
    name: str | None
    latitude: float | None
    longitude: float | None
    created_at: datetime
    crops: int
    first_captured_at: datetime | None
    last_captured_at: datetime | None


class CameraRepository:
    """Reads and writes cameras within one session; commits nothing itself."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def ensure(self, collection_id: UUID, camera_ids: set[str]) -> set[str]:
        """Make the cameras that the collection does not have yet.

        Returns:
            Ids of the cameras made.
        """
        if not camera_ids:
            return set()
        # Sorted: two transactions that wait for each other's new cameras in turn would be a deadlock.
        rows = [{"collection_id": collection_id, "camera_id": camera_id} for camera_id in sorted(camera_ids)]
        new = insert(Camera).values(rows).on_conflict_do_nothing().returning(Camera.camera_id)
        return set(await self._session.scalars(new))

    async def remove_unused(self, collection_id: UUID, camera_ids: set[str]) -> None:
        """Remove cameras that this transaction made and that got no crop; nobody else has seen them."""
        if camera_ids:
            unused = (Camera.collection_id == collection_id) & Camera.camera_id.in_(camera_ids)
            await self._session.execute(delete(Camera).where(unused))

    async def create(self, collection_id: UUID, camera_id: str, values: Mapping[str, Any]) -> bool:
        """Make a camera, with values of further columns; whether there was none of that id."""
        new = insert(Camera).values(collection_id=collection_id, camera_id=camera_id, **values)
        made = await self._session.scalar(new.on_conflict_do_nothing().returning(Camera.camera_id))
        return made is not None

    async def locked(self, collection_id: UUID, camera_id: str) -> Camera | None:
        """The camera of that id, which nobody else changes until the end of the transaction; None: there is none."""
        wanted = select(Camera).where(Camera.collection_id == collection_id, Camera.camera_id == camera_id)
        return await self._session.scalar(wanted.with_for_update(key_share=True))

    async def change(self, collection_id: UUID, camera_id: str, values: Mapping[str, Any]) -> None:
        """Set columns of a camera."""
        if values:
            wanted = (Camera.collection_id == collection_id) & (Camera.camera_id == camera_id)
            await self._session.execute(update(Camera).where(wanted).values(**values))

    async def summary(self, collection_id: UUID, camera_id: str) -> CameraSummary | None:
        """The camera of that id and what it has seen; None where there is none."""
        one = select(Camera).where(Camera.collection_id == collection_id, Camera.camera_id == camera_id)
        found = (await self._session.execute(_summaries(one))).one_or_none()
        return None if found is None else _summary(found)

    async def page(
        self, collection_id: UUID, *, limit: int, cursor: str | None = None
    ) -> tuple[list[CameraSummary], str | None]:
        """Cameras of a collection in the order of their ids, each with what it has seen.

        Args:
            collection_id: The collection.
            limit: How many at most.
            cursor: `next_cursor` of the page before; None for the first page.

        Returns:
            The cameras and the next page's cursor, None after the last page.
        """
        page = select(Camera).where(Camera.collection_id == collection_id)
        if cursor is not None:
            page = page.where(Camera.camera_id > cursor)
        rows = await self._session.execute(_summaries(page.order_by(Camera.camera_id).limit(limit + 1)))
        found = list(map(_summary, rows))
        return found[:limit], found[limit - 1].camera_id if len(found) > limit else None


def _summaries(which: Select[Camera]) -> Select[*tuple[Any, ...]]:
    """Some cameras in the order of their ids, with what each has seen."""
    cameras = which.subquery()
    seen = (
        select(
            func.count().label("crops"),
            func.min(Crop.captured_at).label("first_captured_at"),
            func.max(Crop.captured_at).label("last_captured_at"),
        )
        .where(Crop.collection_id == cameras.c.collection_id, Crop.camera_id == cameras.c.camera_id)
        .lateral()
    )
    own = (cameras.c[name] for name in ("camera_id", "name", "latitude", "longitude", "created_at"))
    return select(*own, *seen.c).select_from(cameras).join(seen, onclause=true()).order_by(cameras.c.camera_id)


def _summary(row: Row[*tuple[Any, ...]]) -> CameraSummary:
    return CameraSummary(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name of it
