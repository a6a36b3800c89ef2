"""Rows of the cameras."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from service.cameras.repository import CameraRepository, CameraSummary
from service.database.engine import Database
from service.gallery.records import NewCrop

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

Enrol = Callable[..., Awaitable[list[NewCrop]]]
Remove = Callable[[AsyncSession, UUID], Awaitable[None]]


async def test_cameras_say_what_they_hold(database: Database, enrol: Enrol, remove: Remove) -> None:
    await enrol(database, camera_id="b", captured_at=NOON)
    await enrol(database, camera_id="b", captured_at=NOON - timedelta(hours=1))
    await enrol(database, camera_id="b")
    await enrol(database, camera_id="B")
    await enrol(database, camera_id="ä", collection="other")
    (gone,) = await enrol(database, camera_id="c", captured_at=NOON)
    async with database.transaction() as session:
        await remove(session, gone.id)
    expected = [
        ("B", 1, None, None),
        ("b", 3, NOON - timedelta(hours=1), NOON),
        ("c", 0, None, None),
    ]
    async with database.reading() as session:
        cameras = CameraRepository(session)
        whole, end = await cameras.page(gone.collection_id, limit=3)
        assert (list(map(_seen, whole)), end) == (expected, None)
        first, cursor = await cameras.page(gone.collection_id, limit=2)
        rest, end = await cameras.page(gone.collection_id, limit=2, cursor=cursor)
        assert (first + rest, end) == (whole, None)
        assert [await cameras.summary(gone.collection_id, camera.camera_id) for camera in whole] == whole
        assert await cameras.summary(gone.collection_id, "ä") is None


def _seen(camera: CameraSummary) -> tuple[str, int, datetime | None, datetime | None]:
    return camera.camera_id, camera.crops, camera.first_captured_at, camera.last_captured_at
