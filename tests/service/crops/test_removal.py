"""Pictures of deleted crops: gone, or noted and gone later."""

import asyncio
import logging
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select
from uuid_utils.compat import uuid7

from service.crops import removal as module
from service.crops.removal import PictureRemover, remove_pictures
from service.crops.removal_repository import RemovalRepository
from service.crops.store import FileCropStore
from service.database.engine import Database
from service.database.tables import PictureToRemove


async def _noted(database: Database) -> set[UUID]:
    async with database.reading() as session:
        return set(await session.scalars(select(PictureToRemove.crop_id)))


async def _note(database: Database, store: FileCropStore, count: int) -> list[UUID]:
    crop_ids = [uuid7() for _ in range(count)]
    for crop_id in crop_ids:
        await store.put(crop_id, b"picture")
    async with database.transaction() as session:
        await RemovalRepository(session).note(crop_ids)
        await RemovalRepository(session).note(crop_ids[:1])
    return crop_ids


def _stuck(folder: Path, crop_id: UUID) -> Path:
    """What lies in the place of a picture and cannot be unlinked."""
    path = folder / crop_id.hex[-2:] / str(crop_id)
    path.unlink()
    path.mkdir()
    return path


@pytest.fixture
def store(tmp_path: Path) -> FileCropStore:
    return FileCropStore(tmp_path)


async def test_what_cannot_be_removed_stays_noted(database: Database, store: FileCropStore, tmp_path: Path) -> None:
    gone, stuck, absent = await _note(database, store, 3)
    path = _stuck(tmp_path, stuck)
    await store.delete(absent)
    assert await remove_pictures(database, store, [gone, stuck, absent]) == [stuck]
    assert await _noted(database) == {stuck}
    path.rmdir()
    assert await remove_pictures(database, store, [stuck]) == []
    assert await _noted(database) == set()


async def test_the_remover_passes_over_what_is_stuck_and_says_so_once(
    database: Database,
    store: FileCropStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2)
    crop_ids = await _note(database, store, 7)
    stuck = {crop_id: _stuck(tmp_path, crop_id) for crop_id in crop_ids[:3]}
    remover = PictureRemover(database, store)
    with caplog.at_level(logging.WARNING):
        assert [await remover.remove(), await remover.remove()] == [3, 3]
    assert await _noted(database) == set(stuck)
    assert [record.getMessage() for record in caplog.records].count(
        "3 pictures of deleted crops cannot be removed from the crop store; it is tried again"
    ) == 1
    for path in stuck.values():
        path.rmdir()
    assert await remover.remove() == 0
    assert await _noted(database) == set()


async def test_it_looks_by_itself(database: Database, store: FileCropStore) -> None:
    remover = PictureRemover(database, store, period_s=0.01)
    remover.start()
    try:
        await _note(database, store, 1)
        async with asyncio.timeout(10):
            while await _noted(database):  # noqa: ASYNC110 - seen from outside
                await asyncio.sleep(0.01)
    finally:
        await remover.stop()
