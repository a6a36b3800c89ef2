"""Followers for tests, and what they hold beside what the database holds."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from index.contract import Filter, Sighting
from index.options import IndexOptions
from index.segmented import SegmentedIndex
from service.database.engine import Database
from service.follower import Follower
from service.follower_duties import Rhythm
from service.follower_repository import FollowerRepository
from service.follower_rows import sightings
from service.gallery.repository import GalleryRepository
from service.index_store import SegmentStore

DIMENSION = 32
MODEL_ID = "model-1"


class Store(SegmentStore):
    """Segments in a folder, of whatever kind of index a test wants."""

    def __init__(self, folder: Path, model_id: str = MODEL_ID, kind: type[SegmentedIndex] = SegmentedIndex) -> None:
        super().__init__(folder, DIMENSION, model_id, IndexOptions(codec="fp32", threads=1), kind)


Follow = Callable[..., Follower]
Following = Callable[..., AbstractAsyncContextManager[Follower]]


def rhythm(poll_s: float = 0.02, **changes: Any) -> Rhythm:
    """Nothing but following, unless a test says otherwise."""
    return replace(Rhythm(poll_s, snapshot_s=3600, snapshot_changes=10**9, reconcile_s=3600), **changes)


def held_by(follower: Follower, *collections: str) -> dict[UUID, Sighting]:
    """Everything that an index holds, as its own searches answer it."""
    query = np.zeros((1, DIMENSION), dtype=np.float32)
    query[0, 0] = 1
    hits = [
        hit
        for name in collections or ("default",)
        for hit in follower.index.search(query, 10_000, Filter(name))[0].hits
    ]
    held = {hit.sighting.id: hit.sighting for hit in hits}
    assert len(held) == len(hits)
    return held


async def truth_of(database: Database) -> dict[UUID, Sighting]:
    async with database.reading() as session:
        batches = FollowerRepository(session, MODEL_ID).crops(1000)
        return {
            sighting.id: sighting
            async for rows in batches
            for columns in sightings(rows, DIMENSION)
            for sighting in columns
        }


def holds(follower: Follower, crop_id: UUID) -> bool:
    return crop_id in held_by(follower)


async def head_of(database: Database) -> int:
    async with database.reading() as session:
        return await GalleryRepository(session).head()


async def level(follower: Follower, database: Database) -> None:
    assert await follower.wait_for(await head_of(database), 10)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for is seen from outside, as by a client
            await asyncio.sleep(0.01)


def assert_same(held: dict[UUID, Sighting], truth: dict[UUID, Sighting]) -> None:
    assert held.keys() == truth.keys()
    for crop_id, sighting in truth.items():
        np.testing.assert_array_equal(held[crop_id].embedding, sighting.embedding)
        for name in ("collection", "camera_id", "captured_at", "track", "vehicle_id", "attributes", "fingerprint"):
            assert getattr(held[crop_id], name) == getattr(sighting, name)
