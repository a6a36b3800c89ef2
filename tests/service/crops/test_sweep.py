"""The sweep: pictures that no row claims go, everything else stays."""

import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from uuid_utils.compat import uuid7

from service.crops.store import FileCropStore
from service.crops.sweep import sweep_orphans
from service.database.engine import Database
from service.errors import ConflictError, NotFoundError
from service.gallery.records import NewCrop

Enrol = Callable[..., Awaitable[list[NewCrop]]]


def _age_all(folder: Path, seconds: float) -> None:
    for path in folder.rglob("*"):
        os.utime(path, (time.time() - seconds,) * 2)


async def test_only_old_pictures_without_a_row_go(database: Database, tmp_path: Path, enrol: Enrol) -> None:
    store, orphan, young = FileCropStore(tmp_path), uuid7(), uuid7()
    (enrolled,) = await enrol(database, count=1)
    (imageless,) = await enrol(database, count=1, has_image=False)
    for crop_id in (enrolled.id, imageless.id, orphan):
        await store.put(crop_id, b"picture")
    _age_all(tmp_path, 100)
    await store.put(young, b"picture")
    assert await sweep_orphans(store, database, 60) == 2
    assert await store.get(enrolled.id) == b"picture"
    assert await store.get(young) == b"picture"
    for gone in (orphan, imageless.id):
        with pytest.raises(NotFoundError):
            await store.get(gone)
    assert await sweep_orphans(store, database, 60) == 0


async def test_a_store_of_another_database_is_left_alone(database: Database, tmp_path: Path) -> None:
    """An empty database has no rows: by them every picture of somebody else's store would be an orphan."""
    store, picture = FileCropStore(tmp_path), uuid7()
    await store.claim(uuid7())
    await store.put(picture, b"picture")
    _age_all(tmp_path, 100)
    with pytest.raises(ConflictError, match="belongs to the database"):
        await sweep_orphans(store, database, 60)
    assert await store.get(picture) == b"picture"
