"""A filter in SQL leaves the crops that it leaves in an index."""

import itertools
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from index.contract import Filter
from index.segmented import SegmentedIndex
from service.database.engine import Database
from service.follower_repository import FollowerRepository
from service.follower_rows import sightings
from service.gallery.records import NewCrop
from service.gallery.repository import GalleryRepository

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

Enrol = Callable[..., Awaitable[list[NewCrop]]]
Remove = Callable[[AsyncSession, UUID], Awaitable[None]]

SCALARS = [
    None,
    True,
    False,
    0,
    1,
    -1,
    1.0,
    0.0,
    -0.0,
    1.5,
    0.1,
    1e300,
    1e23,
    2**53,
    5e-324,
    "",
    "1",
    "true",
    "ä",
    "\u2028",
]


async def test_attribute_filters_agree_with_the_index(database: Database, enrol: Enrol, tmp_path: Path) -> None:
    """Each scalar against each: the same crops in SQL and in an index that was filled from SQL."""
    crops = [(await enrol(database, attributes={"a": value, "b": "x"}))[0] for value in SCALARS]
    await enrol(database, attributes={"b": "x"})
    await enrol(database, attributes={"A": 1})
    index = SegmentedIndex(32, tmp_path)
    async with database.reading() as session:
        gallery = GalleryRepository(session)
        async for rows in FollowerRepository(session, "model-1").crops(7):
            index.apply(sightings(rows, 32), (), 0)
        matches = 0
        for value in SCALARS:
            where = Filter("default", attributes={"a": value})
            records, _ = await gallery.page(where, limit=100)
            found = {hit.sighting.id for hit in index.search(crops[0].embedding[None], 100, where)[0].hits}
            assert {record.id for record in records} == found, value
            matches += len(found)
    numbers = [1, 1.0], [0, 0.0, -0.0]
    assert matches == len(SCALARS) + sum(len(same) * (len(same) - 1) for same in numbers)


async def test_filters_agree_with_the_index(database: Database, enrol: Enrol, tmp_path: Path) -> None:
    """Combinations of conditions, each value in many of them, over crops that have every combination of the columns."""
    cameras, vehicles = ("a", "b", "c"), (None, "v", "w")
    times = (None, NOON, NOON + timedelta(microseconds=1), NOON + timedelta(hours=1))
    tracks = itertools.cycle([(None, None), ("s", "1"), (None, "1"), ("s", None), ("r", "1")])
    crops = []
    for camera, vehicle, time in itertools.product(cameras, vehicles, times):
        fields = {"camera_id": camera, "vehicle_id": vehicle, "captured_at": time, "attributes": {"c": camera, "t": 1}}
        fields |= dict(zip(("session_id", "track_id"), next(tracks), strict=True))
        crops += await enrol(database, **fields)
    await enrol(database, collection="other")
    index = SegmentedIndex(32, tmp_path)
    async with database.reading() as session:
        gallery = GalleryRepository(session)
        async for rows in FollowerRepository(session, "model-1").crops(1000):
            index.apply(sightings(rows, 32), (), 0)
        choices: dict[str, list[Any]] = {
            "camera_ids": [None, frozenset(), frozenset({"a", "b"})],
            "exclude_camera_ids": [frozenset(), frozenset({"b"})],
            "captured_from": [None, NOON + timedelta(microseconds=1)],
            "captured_to": [None, NOON + timedelta(microseconds=1)],
            "tracks": [None, frozenset(), frozenset({("a", "s", "1"), ("b", None, "1")})],
            "exclude_tracks": [frozenset(), frozenset({("a", None, "1"), ("b", "s", "1")})],
            "vehicle_ids": [None, frozenset(), frozenset({"v"})],
            "exclude_vehicle_ids": [frozenset(), frozenset({"w"})],
            "attributes": [{}, {"c": "a", "t": 1}, {"t": True}],
            "exclude_ids": [frozenset(), frozenset({crops[0].id, crops[13].id})],
        }
        sizes = set()
        for values in random.Random(3).sample(list(itertools.product(*choices.values())), 700):
            where = Filter("default", **dict(zip(choices, values, strict=True)))
            records, _ = await gallery.page(where, limit=100)
            found = {hit.sighting.id for hit in index.search(crops[0].embedding[None], 100, where)[0].hits}
            assert {record.id for record in records} == found, where
            sizes.add(len(found))
    assert len(sizes) > 8
