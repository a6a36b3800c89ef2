"""Vehicles as they are listed."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from service.database.engine import Database
from service.gallery.records import NewCrop
from service.vehicles.repository import VehicleRepository
from service.vehicles.summary_repository import VehicleSummaryRepository

Enrol = Callable[..., Awaitable[list[NewCrop]]]
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


async def _make(database: Database, collection_id: UUID, *vehicle_ids: str) -> None:
    async with database.transaction() as session:
        for vehicle_id in vehicle_ids:
            await VehicleRepository(session).add(collection_id, vehicle_id, {"attributes": {}})


async def _ids(session: AsyncSession, collection_id: UUID, *, claimed: bool, limit: int) -> list[list[str]]:
    """Pages of ids, from the first to the last."""
    vehicles, pages, cursor = VehicleSummaryRepository(session, collection_id), [], None
    while True:
        page, cursor = await vehicles.page(claimed=claimed, limit=limit, cursor=cursor)
        pages.append([vehicle.vehicle_id for vehicle in page])
        if cursor is None:
            return pages


async def test_pages_in_the_order_of_ids(database: Database, enrol: Enrol) -> None:
    (crop,) = await enrol(database)
    await enrol(database, vehicle_id="foreign", collection="other")
    await enrol(database, 3, vehicle_id="b")
    await enrol(database, vehicle_id="d")
    await enrol(database, vehicle_id="ä")
    await _make(database, crop.collection_id, "a", "b", "C")
    async with database.reading() as session:
        assert await _ids(session, crop.collection_id, claimed=False, limit=2) == [["C", "a"], ["b"]]
        assert await _ids(session, crop.collection_id, claimed=True, limit=2) == [["C", "a"], ["b", "d"], ["ä"]]
        assert await _ids(session, crop.collection_id, claimed=True, limit=5) == [["C", "a", "b", "d", "ä"]]


async def test_what_was_seen_of_each(database: Database, enrol: Enrol) -> None:
    def seen(**fields: Any) -> Awaitable[list[NewCrop]]:
        return enrol(database, **fields)

    sure = {"vehicle_id": "a", "vehicle_confirmed": True}
    (small,) = await seen(**sure, camera_id="x", captured_at=NOON, width=10, height=9)
    (large,) = await seen(**sure, camera_id="y", captured_at=NOON + timedelta(hours=1), width=9, height=11)
    await seen(**sure, camera_id="y", width=9, height=11)
    await seen(**sure, camera_id="x", width=99, height=99, has_image=False)
    await seen(vehicle_id="a", camera_id="z", captured_at=NOON - timedelta(hours=9), width=99, height=99)
    (claimed,) = await seen(vehicle_id="b", camera_id="z", captured_at=NOON)
    await _make(database, small.collection_id, "a", "empty")
    async with database.reading() as session:
        vehicles = VehicleSummaryRepository(session, small.collection_id)
        page, _ = await vehicles.page(claimed=True, limit=9)
        found = {vehicle.vehicle_id: vehicle for vehicle in page}
        assert [await vehicles.one(name, claimed=True) for name in found] == page
        assert await vehicles.one("b", claimed=False) is None
        assert await vehicles.one("c", claimed=True) is None
    one = found["a"]
    assert (one.confirmed, one.crops, one.claimed_crops, one.cameras) == (True, 4, 1, 2)
    assert (one.first_captured_at, one.last_captured_at) == (NOON, NOON + timedelta(hours=1))
    assert one.best_crop_id == large.id
    other = found["b"]
    assert (other.confirmed, other.crops, other.claimed_crops, other.cameras) == (False, 0, 1, 1)
    assert (other.first_captured_at, other.best_crop_id, other.created_at) == (NOON, claimed.id, None)
    nothing = found["empty"]
    assert (nothing.confirmed, nothing.crops, nothing.cameras, nothing.best_crop_id) == (True, 0, 0, None)
