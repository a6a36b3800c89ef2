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
        CameraSummary(camera_id="B", crops=1, first_captured_at=None, last_captured_at=None),
        CameraSummary(camera_id="b", crops=3, first_captured_at=NOON - timedelta(hours=1), last_captured_at=NOON),
        CameraSummary(camera_id="c", crops=0, first_captured_at=None, last_captured_at=None),
    ]
    async with database.reading() as session:
        assert await CameraRepository(session).page(gone.collection_id, limit=3) == (expected, None)
        first, cursor = await CameraRepository(session).page(gone.collection_id, limit=2)
        rest, end = await CameraRepository(session).page(gone.collection_id, limit=2, cursor=cursor)
    assert (first + rest, end) == (expected, None)
