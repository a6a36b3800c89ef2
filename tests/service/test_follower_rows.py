"""Rows of the truth as an index takes them: every value as it was enrolled, and what is broken by its crop's name."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text
from support.following import DIMENSION, MODEL_ID

from index.contract import Sighting, SightingColumns, VectorError
from index.halves import STORED
from service.database.engine import Database
from service.database.vectors import decode, encode
from service.follower_repository import FollowerRepository
from service.follower_rows import PackedCrops, sightings
from service.gallery.records import NewCrop

Enrol = Callable[..., Awaitable[list[NewCrop]]]

AWKWARD = 'a "quoted" \\ line\nand \t another, \u2028 ünï \U0001f697'


async def packed(database: Database, batch: int = 1000) -> list[PackedCrops]:
    async with database.reading() as session:
        return [some async for some in FollowerRepository(session, MODEL_ID).crops(batch)]


async def read(database: Database, batch: int = 1000) -> list[SightingColumns]:
    return [columns for some in await packed(database, batch) for columns in sightings(some, DIMENSION)]


def assert_is(sighting: Sighting, crop: NewCrop, collection: str) -> None:
    """Compared with what was enrolled, not with another reading of it."""
    track = None if crop.track_id is None else (crop.session_id, crop.track_id)
    given = (collection, crop.camera_id, crop.captured_at, track, crop.vehicle_id, crop.attributes)
    assert (
        sighting.collection,
        sighting.camera_id,
        sighting.captured_at,
        sighting.track,
        sighting.vehicle_id,
        sighting.attributes,
    ) == given
    np.testing.assert_array_equal(sighting.embedding, decode(encode(crop.embedding)))


@pytest.mark.parametrize(
    "captured_at",
    [
        None,
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2000, 1, 1, tzinfo=UTC),
        datetime(2026, 11, 25, 12, 30, 15, 123_457, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ],
    ids=str,
)
async def test_a_time_of_capture_is_read_to_the_microsecond(
    database: Database, enrol: Enrol, captured_at: datetime | None
) -> None:
    (crop,) = await enrol(database, captured_at=captured_at)
    ((sighting,),) = await read(database)
    assert_is(sighting, crop, "default")


@pytest.mark.parametrize(
    "fields",
    [
        {"camera_id": AWKWARD, "session_id": AWKWARD, "track_id": AWKWARD, "vehicle_id": AWKWARD},
        {"attributes": {AWKWARD: AWKWARD, "n": 1, "x": 0.1, "yes": True, "nothing": None, "big": 2**53 - 1}},
        {"session_id": "s"},
        {"track_id": "null", "vehicle_id": "null"},
        {},
    ],
    ids=["awkward text", "attributes", "session only", "text that says null", "nothing"],
)
async def test_what_is_said_of_a_crop_is_read_as_it_is(
    database: Database, enrol: Enrol, fields: dict[str, Any]
) -> None:
    (crop,) = await enrol(database, **fields)
    ((sighting,),) = await read(database)
    assert_is(sighting, crop, "default")
    for name, value in crop.attributes.items():
        assert type(sighting.attributes[name]) is type(value)


@pytest.mark.parametrize("batch", [1, 4, 1000])
async def test_crops_of_collections_in_turns_go_to_their_own(database: Database, enrol: Enrol, batch: int) -> None:
    enrolled: dict[str, list[NewCrop]] = {"a": [], "b": [], "c": []}
    began = datetime(2026, 11, 25, tzinfo=UTC)
    for number in range(13):
        name = "abcab"[number % 5]
        enrolled[name] += await enrol(
            database,
            collection=name,
            camera_id=f"cam-{number}",
            captured_at=None if number % 4 == 1 else began + timedelta(hours=number),
            track_id=None if number % 3 == 1 else f"t{number}",
            vehicle_id=None if number % 2 else f"v{number}",
            attributes={"n": number},
        )
    blocks = await read(database, batch)
    for name, crops in enrolled.items():
        found = [sighting for block in blocks if block.collection == name for sighting in block]
        assert [one.id for one in found] == [crop.id for crop in crops]
        for one, crop in zip(found, crops, strict=True):
            assert_is(one, crop, name)
    assert all(block.in_halves for block in blocks)


async def test_a_broken_vector_is_told_by_its_crop(database: Database, enrol: Enrol) -> None:
    crops = await enrol(database, 3)
    (whole,) = await packed(database)
    vectors = np.frombuffer(whole.vectors, dtype=STORED).reshape(3, DIMENSION).copy()
    for wrong, said in ((np.zeros(DIMENSION), "length 0.0, not 1"), (np.full(DIMENSION, np.nan), "length nan, not 1")):
        vectors[1] = wrong
        with pytest.raises(VectorError, match=f"Crop {crops[1].id}: .*{said}"):
            sightings(replace(whole, vectors=vectors.tobytes()), DIMENSION)


async def test_a_vector_of_another_dimension_is_told_by_its_crop(database: Database, enrol: Enrol) -> None:
    (crop,) = await enrol(database)
    (whole,) = await packed(database)
    size = DIMENSION * STORED.itemsize
    with pytest.raises(VectorError, match=f"Crop {crop.id}: the stored vector has {size} bytes, not {2 * size}"):
        sightings(whole, 2 * DIMENSION)


async def test_reading_takes_as_many_looks_at_a_vector_as_there_are_crops(database: Database, enrol: Enrol) -> None:
    """However little PostgreSQL knows of the ids; with a million crops it knows as little of the ids of a page."""
    await enrol(database, 900)
    async with database.transaction() as session:
        for statement in (
            "ALTER TABLE crops ALTER COLUMN id SET STATISTICS 1",
            "ALTER TABLE embeddings ALTER COLUMN crop_id SET STATISTICS 1",
            "ANALYZE crops",
            "ANALYZE embeddings",
        ):
            await session.execute(text(statement))

    async def looks() -> int:
        asked = "SELECT idx_tup_read + seq_tup_read FROM pg_stat_user_indexes JOIN pg_stat_user_tables USING (relid) "
        async with database.transaction() as session:
            await session.execute(text("SELECT pg_stat_force_next_flush()"))
        async with database.reading() as session:
            return (await session.scalars(text(asked + "WHERE indexrelname = 'embeddings_pkey'"))).one()

    before = await looks()
    assert sum(len(some) for some in await packed(database, 300)) == 900
    assert await looks() - before < 3 * 900


async def test_a_database_without_crops_is_no_row(database: Database) -> None:
    assert await packed(database) == []
