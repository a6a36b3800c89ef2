"""Rows of the gallery: what is written is read, races lose nothing, filters agree with the index."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from index.contract import Filter
from service.cameras.repository import CameraRepository
from service.change_log_repository import CHANGE_LOG_LOCK
from service.collections.repository import CollectionRepository
from service.database.engine import Database
from service.database.tables import Change, Collection, Embedding
from service.errors import InvalidValueError, UnavailableError
from service.follower_repository import FollowerRepository
from service.gallery.filter_repository import RowConditions
from service.gallery.records import NewCrop
from service.gallery.repository import GalleryRepository

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

MakeCrop = Callable[..., NewCrop]
Add = Callable[..., Awaitable[list[NewCrop]]]
Enrol = Callable[..., Awaitable[list[NewCrop]]]
Remove = Callable[[AsyncSession, UUID], Awaitable[None]]


async def test_every_field_comes_back(database: Database, enrol: Enrol) -> None:
    fields = {
        "camera_id": "Kreuzung 7 / Süd",
        "captured_at": NOON.astimezone(timezone(timedelta(hours=5, minutes=45))) + timedelta(microseconds=1),
        "session_id": "s",
        "track_id": "17",
        "vehicle_id": "v-1",
        "external_id": "frame 1",
        "attributes": {"colour": "grün", "doors": 5, "length": 4.25, "roof": True, "note": None, "big": 1e300},
        "bbox": (0.5, 1.0, 64.0, 48.0),
        "image_sha256": bytes(range(32)),
        "media_type": "image/png",
        "width": 640,
        "height": 480,
    }
    (crop,) = await enrol(database, collection="night", **fields)
    async with database.reading() as session:
        record = await GalleryRepository(session).get(crop.id)
    assert record is not None
    assert {name: getattr(record, name) for name in fields} == {**fields, "bbox": list(fields["bbox"])}
    assert record.captured_at is not None
    assert record.captured_at.utcoffset() == timedelta(0)
    assert record.collection == "night"
    assert abs(datetime.now(UTC) - record.created_at) < timedelta(minutes=1)


async def test_what_is_not_there(database: Database) -> None:
    async with database.reading() as session:
        gallery = GalleryRepository(session)
        assert await gallery.get(uuid4()) is None
        assert await gallery.many([]) == {}
        assert await CollectionRepository(session).collection("nothing") is None
        assert await gallery.head() == 0
        assert await gallery.page(Filter("nothing"), limit=5) == ([], None)
    async with database.transaction() as session:
        assert await GalleryRepository(session).delete(uuid4()) is None


async def test_an_external_id_is_taken_once_within_a_batch(database: Database, make_crop: MakeCrop) -> None:
    async with database.transaction() as session:
        gallery = GalleryRepository(session)
        collection = await CollectionRepository(session).ensure_collection("default", "model-1")
        await CameraRepository(session).ensure(collection.id, {"camera-1"})
        crops = [make_crop(collection.id, external_id=name) for name in ("same", "same", None, None, "other")]
        inserted = await gallery.add(crops)
        found = await gallery.by_external_ids(collection.id, ["same", "other", "third"])
        assert await session.scalar(select(func.count()).select_from(Embedding)) == 4
    assert len(inserted) == 4
    assert {name: crop.id for name, crop in found.items()} == {"same": crops[0].id, "other": crops[4].id}


async def test_an_external_id_is_per_collection(database: Database, enrol: Enrol) -> None:
    await enrol(database, collection="one", external_id="same")
    await enrol(database, collection="two", external_id="same")


@pytest.mark.parametrize("first_commits", [True, False])
async def test_the_race_for_an_external_id_has_one_winner(
    database: Database, make_crop: MakeCrop, *, first_commits: bool
) -> None:
    """The second waits for the first: it loses if the first commits and wins if the first gives up."""
    async with database.transaction() as session:
        collection = await CollectionRepository(session).ensure_collection("default", "model-1")
        await CameraRepository(session).ensure(collection.id, {"camera-1"})
    first, second = (make_crop(collection.id, external_id="same") for _ in range(2))

    async def enrol_second() -> tuple[set[UUID], dict[str, UUID]]:
        async with database.transaction() as session:
            gallery = GalleryRepository(session)
            inserted = await gallery.add([second])
            found = await gallery.by_external_ids(collection.id, ["same"])
            return inserted, {name: crop.id for name, crop in found.items()}

    async with database.transaction() as session:
        assert await GalleryRepository(session).add([first]) == {first.id}
        waiting = asyncio.create_task(enrol_second())
        await asyncio.sleep(0.2)
        assert not waiting.done()
        if not first_commits:
            await session.rollback()
    expected = (set(), {"same": first.id}) if first_commits else ({second.id}, {"same": second.id})
    assert await asyncio.wait_for(waiting, 5) == expected


class Forwards(set[str]):
    """A set that is iterated in order. The order of a set is another in every process."""

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(super().__iter__()))


class Backwards(set[str]):
    """A set that is iterated in the opposite order."""

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(super().__iter__(), reverse=True))


async def _slow_down(database: Database, table: str) -> None:
    """Let every row take a while, so that two statements surely meet in the middle."""
    async with database.transaction() as session:
        body = "BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END"
        await session.execute(text(f"CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS '{body}'"))
        await session.execute(
            text(f"CREATE TRIGGER slow BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION slow()")
        )


async def test_new_cameras_in_opposite_orders_do_not_deadlock(database: Database) -> None:
    async with database.transaction() as session:
        collection = await CollectionRepository(session).ensure_collection("default", "model-1")
    await _slow_down(database, "cameras")

    async def ensure(camera_ids: set[str]) -> None:
        async with database.transaction() as session:
            await CameraRepository(session).ensure(collection.id, camera_ids)

    names = {f"camera-{number}" for number in range(10)}
    await asyncio.gather(ensure(Forwards(names)), ensure(Backwards(names)))


async def test_external_ids_in_opposite_orders_do_not_deadlock(database: Database, make_crop: MakeCrop) -> None:
    async with database.transaction() as session:
        collection = await CollectionRepository(session).ensure_collection("default", "model-1")
        await CameraRepository(session).ensure(collection.id, {"camera-1"})
    await _slow_down(database, "crops")

    async def enrol(names: list[str]) -> int:
        async with database.transaction() as session:
            gallery = GalleryRepository(session)
            inserted = await gallery.add([make_crop(collection.id, external_id=name) for name in names])
            await gallery.log_changes(collection.id, inserted, deleted=False)
            return len(inserted)

    names = [f"frame {number}" for number in range(10)]
    assert sorted(await asyncio.gather(enrol(names), enrol(names[::-1]))) == [0, 10]


async def test_two_transactions_that_commit_out_of_order_lose_nothing(database: Database, add: Add) -> None:
    """The one that takes its number first commits last; whoever reads in between must not step over it."""
    async with AsyncExitStack() as stack:
        slow = await stack.enter_async_context(database.transaction())
        (late,) = await add(slow)

        async def quick_one() -> NewCrop:
            async with database.transaction() as session:
                (crop,) = await add(session, collection="other")
                return crop

        quick = asyncio.create_task(quick_one())
        seen: list[UUID] = []
        cursor = 0
        for _ in range(10):
            async with database.reading() as session:
                changes = await FollowerRepository(session, "model-1").changes_after(cursor, 100)
            if changes is not None:
                seen += [] if changes.crops is None else changes.crops.ids()
                cursor = changes.last.sequence
            await asyncio.sleep(0.03)
    early = await asyncio.wait_for(quick, 5)
    async with database.reading() as session:
        changes = await FollowerRepository(session, "model-1").changes_after(cursor, 100)
        assert changes is not None
        order = (await session.scalars(select(Change.crop_id).order_by(Change.sequence))).all()
    seen += [] if changes.crops is None else changes.crops.ids()
    assert sorted(seen) == sorted([late.id, early.id])
    assert order == [late.id, early.id]


async def test_a_rolled_back_transaction_hands_the_numbering_on(database: Database, add: Add, enrol: Enrol) -> None:
    async with database.transaction() as session:
        await add(session, 3)
        await session.rollback()
    (crop,) = await asyncio.wait_for(enrol(database), 5)
    async with database.reading() as session:
        gallery = GalleryRepository(session)
        records, _ = await gallery.page(Filter("default"), limit=10)
        assert [record.id for record in records] == [crop.id]
        assert (await session.scalars(select(Change.crop_id))).all() == [crop.id]


async def test_numbers_grow_and_the_greatest_is_answered(database: Database, enrol: Enrol, remove: Remove) -> None:
    crops = await enrol(database, 5)
    async with database.transaction() as session:
        gallery = GalleryRepository(session)
        head = await gallery.head()
        collection = crops[0].collection_id
        assert await gallery.log_changes(collection, [], deleted=False) == head
        assert await gallery.log_changes(collection, [crop.id for crop in crops], deleted=False) == head + 5
        assert await gallery.head() == head + 5


async def test_the_numbering_is_locked_until_the_end_only_by_writers(database: Database, add: Add) -> None:
    async with database.transaction() as session:
        await add(session)
        async with database.transaction() as other:
            assert not await other.scalar(select(func.pg_try_advisory_xact_lock(CHANGE_LOG_LOCK)))
        async with database.reading() as reader:
            assert await GalleryRepository(reader).head() == 0
    async with database.transaction() as other:
        assert await other.scalar(select(func.pg_try_advisory_xact_lock(CHANGE_LOG_LOCK)))


async def test_deleting_a_crop_deletes_its_embedding_and_keeps_its_lines(
    database: Database, enrol: Enrol, remove: Remove
) -> None:
    crop, other = await enrol(database, 2)
    async with database.transaction() as session:
        await remove(session, crop.id)
    async with database.reading() as session:
        gallery = GalleryRepository(session)
        assert await gallery.get(crop.id) is None
        assert await gallery.with_image([crop.id, other.id]) == {other.id}
        assert (await session.scalars(select(Embedding.crop_id))).all() == [other.id]
        assert len((await session.scalars(select(Change).where(Change.crop_id == crop.id))).all()) == 2


async def test_a_collection_with_crops_cannot_be_dropped_behind_the_change_log(
    database: Database, enrol: Enrol
) -> None:
    (crop,) = await enrol(database)
    with pytest.raises(IntegrityError):
        async with database.transaction() as session:
            await session.delete(await session.get_one(Collection, crop.collection_id))
    async with database.transaction() as session:
        await GalleryRepository(session).delete(crop.id)
        await session.delete(await session.get_one(Collection, crop.collection_id))


@pytest.mark.parametrize(
    "fields",
    [
        {"image_sha256": b"short"},
        {"width": 0},
        {"height": -1},
        {"bbox": [1.0, 2.0, 3.0]},
        {"bbox": []},
        {"camera_id": "never made"},
    ],
)
async def test_a_row_that_makes_no_sense_is_refused(
    database: Database, make_crop: MakeCrop, fields: dict[str, Any]
) -> None:
    async with database.transaction() as session:
        collection = await CollectionRepository(session).ensure_collection("default", "model-1")
        await CameraRepository(session).ensure(collection.id, {"camera-1"})
    with pytest.raises(IntegrityError):
        async with database.transaction() as session:
            await GalleryRepository(session).add([make_crop(collection.id, **fields)])


@pytest.mark.parametrize(
    "embedding",
    [np.zeros(4), np.full(4, np.nan), np.array([np.inf, 0, 0, 0]), np.ones(4), np.full((1, 4), 0.5), np.zeros(0)],
)
async def test_what_is_no_embedding_is_refused(
    database: Database, make_crop: MakeCrop, embedding: np.ndarray[Any, Any]
) -> None:
    crop = make_crop(uuid4(), embedding=embedding.astype(np.float32))
    with pytest.raises(ValueError, match="unit length"):
        async with database.transaction() as session:
            await GalleryRepository(session).add([crop])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
async def test_what_json_has_no_number_for_is_refused(database: Database, enrol: Enrol, value: float) -> None:
    with pytest.raises(InvalidValueError, match="NaN"):
        await enrol(database, attributes={"speed": value})


@pytest.mark.parametrize("unstorable", ["a\x00b", "\ud800"])
async def test_text_that_postgresql_does_not_hold_is_an_invalid_value(
    database: Database, enrol: Enrol, unstorable: str
) -> None:
    with pytest.raises(InvalidValueError, match="cannot be stored"):
        await enrol(database, attributes={"plate": unstorable})
    with pytest.raises(InvalidValueError, match="cannot be stored"):
        await enrol(database, external_id=unstorable)


async def test_pages_are_newest_first_and_miss_nothing(database: Database, enrol: Enrol) -> None:
    crops = await enrol(database, 7)
    await enrol(database, 3, collection="other")
    expected = [crop.id for crop in crops][::-1]
    for limit in (1, 2, 3, 6, 7, 8):
        seen: list[UUID] = []
        cursor = None
        async with database.reading() as session:
            gallery = GalleryRepository(session)
            while True:
                records, cursor = await gallery.page(Filter("default"), limit=limit, cursor=cursor)
                assert len(records) <= limit
                seen += [record.id for record in records]
                assert len(seen) <= len(expected)
                if cursor is None:
                    break
        assert seen == expected, limit


async def test_a_page_can_ask_for_an_external_id(database: Database, enrol: Enrol) -> None:
    (wanted,) = await enrol(database, external_id="frame 1")
    await enrol(database, external_id="frame 2")
    async with database.reading() as session:
        records, cursor = await GalleryRepository(session).page(
            Filter("default"), limit=5, rows=RowConditions(external_id="frame 1")
        )
    assert [record.id for record in records] == [wanted.id]
    assert cursor is None


async def test_a_cursor_of_somebody_else_is_an_invalid_value(database: Database) -> None:
    with pytest.raises(InvalidValueError, match="cursor"):
        async with database.reading() as session:
            await GalleryRepository(session).page(Filter("default"), limit=5, cursor="'; DROP TABLE crops")


async def test_an_id_that_is_there_already_is_refused(database: Database, enrol: Enrol) -> None:
    crop_id = uuid7()
    await enrol(database, id=crop_id)
    with pytest.raises(IntegrityError):
        await enrol(database, id=crop_id)


async def test_a_lock_that_is_never_given_back_ends_in_an_answer(database: Database, add: Add) -> None:
    async def add_impatiently() -> None:
        async with database.transaction() as session:
            await session.execute(text("SET LOCAL lock_timeout = '100ms'"))
            await add(session, collection="other")

    async with database.transaction() as holder:
        await add(holder)
        with pytest.raises(UnavailableError, match="busy"):
            await add_impatiently()
