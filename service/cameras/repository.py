"""Rows of the cameras."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from service.database.tables import Camera, Crop


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSummary:
    """A camera of a collection and what it has seen.

    Attributes:
        crops: Crops that it holds now.
        first_captured_at: Earliest capture among them; None where no time is known.
        last_captured_at: Latest capture among them.
    """

    camera_id: str
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
        page = select(Camera.camera_id).where(Camera.collection_id == collection_id)
        if cursor is not None:
            page = page.where(Camera.camera_id > cursor)
        cameras = page.order_by(Camera.camera_id).limit(limit + 1).subquery()
        query = (
            select(
                cameras.c.camera_id,
                func.count(Crop.id).label("crops"),
                func.min(Crop.captured_at).label("first_captured_at"),
                func.max(Crop.captured_at).label("last_captured_at"),
            )
            .outerjoin(Crop, (Crop.collection_id == collection_id) & (Crop.camera_id == cameras.c.camera_id))
            .group_by(cameras.c.camera_id)
            .order_by(cameras.c.camera_id)
        )
        found = [CameraSummary(**row._mapping) for row in await self._session.execute(query)]  # noqa: SLF001 - public
        return found[:limit], found[limit - 1].camera_id if len(found) > limit else None
