"""For the tests of the truth, rows without pictures or a model; for those of its callers, a live service."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from PIL import Image
from sqlalchemy.ext.asyncio import AsyncSession
from support.following import DIMENSION, MODEL_ID, Follow, Following, Store, rhythm
from support.processes import ServiceProcess, data_folder
from support.vectors import unit_rows
from uuid_utils.compat import uuid7

from index.segmented import SegmentedIndex
from service.cameras.repository import CameraRepository
from service.collections.repository import CollectionRepository
from service.database.engine import Database
from service.follower import Follower
from service.gallery.records import NewCrop
from service.gallery.repository import GalleryRepository

MakeCrop = Callable[..., NewCrop]
Add = Callable[..., Awaitable[list[NewCrop]]]
Enrol = Callable[..., Awaitable[list[NewCrop]]]


@pytest.fixture
def make_crop() -> MakeCrop:
    """A crop of a collection with every field settable; each has another embedding."""
    made = 0

    def make(collection_id: UUID, **fields: Any) -> NewCrop:
        nonlocal made
        made += 1
        defaults: dict[str, Any] = {
            "id": uuid7(),
            "camera_id": "camera-1",
            "attributes": {},
            "image_sha256": bytes(32),
            "media_type": "image/jpeg",
            "width": 64,
            "height": 48,
            "model_id": MODEL_ID,
            "embedding": unit_rows(made, 1, DIMENSION)[0],
        }
        return NewCrop(collection_id=collection_id, **{**defaults, **fields})

    return make


@pytest.fixture
def add(make_crop: MakeCrop) -> Add:
    """Adds crops within a session, the change log included; `fields` go to `make_crop`."""

    async def add_crops(
        session: AsyncSession, count: int = 1, *, collection: str = "default", **fields: Any
    ) -> list[NewCrop]:
        gallery = GalleryRepository(session)
        owner = await CollectionRepository(session).ensure_collection(collection, fields.get("model_id", MODEL_ID))
        crops = [make_crop(owner.id, **fields) for _ in range(count)]
        await CameraRepository(session).ensure(owner.id, {crop.camera_id for crop in crops})
        assert await gallery.add(crops) == {crop.id for crop in crops}
        await gallery.log_changes(owner.id, [crop.id for crop in crops], deleted=False)
        return crops

    return add_crops


@pytest.fixture
def enrol(add: Add) -> Enrol:
    """Adds crops in a transaction of their own, the change log included; `fields` go to `make_crop`."""

    async def enrol_crops(database: Database, count: int = 1, **fields: Any) -> list[NewCrop]:
        async with database.transaction() as session:
            return await add(session, count, **fields)

    return enrol_crops


async def delete_crop(session: AsyncSession, crop_id: UUID) -> None:
    """Delete a crop within a session, the change log included."""
    gallery = GalleryRepository(session)
    crop = await gallery.delete(crop_id)
    assert crop is not None
    await gallery.log_changes(crop.collection_id, [crop_id], deleted=True)


@pytest.fixture
def remove() -> Callable[[AsyncSession, UUID], Awaitable[None]]:
    """Deletes a crop within a session, the change log included."""
    return delete_crop


@pytest.fixture(scope="session")
def live_service(untrained_weights: Path) -> Iterator[str]:
    """Address of the service as a process of its own with its own PostgreSQL. Each test takes a collection."""
    settings = {"weights": untrained_weights, "preset": "tiny", "device": "cpu", "torch_threads": 1}
    with data_folder() as folder, ServiceProcess(folder, **settings) as service:
        yield service.address


@pytest.fixture(scope="session")
def paint(make_picture: Callable[..., Image.Image]) -> Callable[[Path, int], Path]:
    """Writes the picture of a number as PNG."""

    def write(path: Path, number: int) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        make_picture(number).save(path, "PNG")
        return path

    return write


@pytest.fixture
def follow(database: Database, tmp_path: Path) -> Follow:
    """A follower, not started, each with a folder of its own unless one is given."""
    numbers = count()

    def make(
        poll_s: float = 0.02,
        *,
        model_id: str = MODEL_ID,
        folder: Path | None = None,
        kind: type[SegmentedIndex] = SegmentedIndex,
        **changes: Any,
    ) -> Follower:
        store = Store(folder or tmp_path / str(next(numbers)), model_id, kind)
        return Follower(database, store, model_id, rhythm(poll_s, **changes))

    return make


@pytest.fixture
def following(follow: Follow) -> Following:
    """A follower that is started, and stopped at the end."""

    @asynccontextmanager
    async def run(*arguments: Any, **options: Any) -> AsyncIterator[Follower]:
        follower = follow(*arguments, **options)
        await follower.start()
        try:
            yield follower
        finally:
            await follower.close()

    return run
