"""The follower: the index becomes and stays equal to the truth, whoever writes and whatever breaks."""

import asyncio
import gc
import random
import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from support.following import (
    MODEL_ID,
    Follow,
    Following,
    assert_same,
    head_of,
    held_by,
    holds,
    level,
    truth_of,
    until,
)

from index.contract import VectorError
from index.segmented import SegmentedIndex
from service.database.engine import Database
from service.database.vectors import decode, encode
from service.errors import UnavailableError
from service.follower_repository import FollowerRepository
from service.follower_rows import PackedCrops
from service.gallery.records import NewCrop

Add = Callable[..., Awaitable[list[NewCrop]]]
Enrol = Callable[..., Awaitable[list[NewCrop]]]
Remove = Callable[[AsyncSession, UUID], Awaitable[None]]


async def _remove(database: Database, remove: Remove, crop_id: UUID) -> None:
    async with database.transaction() as session:
        await remove(session, crop_id)


async def _forget(database: Database, crop_id: UUID) -> None:
    """Take a crop back as a backup does that was made before it: its changes are gone as well."""
    async with database.transaction() as session:
        await session.execute(text("DELETE FROM crops WHERE id = :id"), {"id": crop_id})
        await session.execute(text("DELETE FROM changes WHERE crop_id = :id"), {"id": crop_id})


async def test_the_first_load_has_every_column(database: Database, enrol: Enrol, following: Following) -> None:
    (crop,) = await enrol(
        database,
        collection="night",
        camera_id="north",
        captured_at=datetime(2026, 11, 23, 12, tzinfo=UTC),
        session_id="s",
        track_id="17",
        vehicle_id="v",
        attributes={"colour": "red", "doors": 5},
    )
    (trackless,) = await enrol(database, collection="night", session_id="s")
    (sessionless,) = await enrol(database, collection="night", track_id="17")
    async with following() as follower:
        held = held_by(follower, "night")
        sighting = held[crop.id]
        assert (sighting.collection, sighting.camera_id, sighting.captured_at) == ("night", "north", crop.captured_at)
        assert (sighting.track, sighting.vehicle_id) == (("s", "17"), "v")
        assert sighting.attributes == crop.attributes
        assert held[trackless.id].track is None
        assert held[sessionless.id].track == (None, "17")
        np.testing.assert_array_equal(sighting.embedding, decode(encode(crop.embedding)))
        assert follower.ready
        assert follower.sequence == follower.head == await head_of(database)
        assert follower.last_error is None


async def test_it_knows_nothing_before_its_first_load(database: Database, follow: Follow) -> None:
    follower = follow(0.02)
    assert not follower.ready
    assert not follower.loaded
    with pytest.raises(UnavailableError, match="not loaded"):
        _ = follower.index
    assert follower.lag_s == float("inf")
    assert not await follower.wait_for(1, 0.01)
    await follower.close()


async def test_a_load_in_many_batches_is_whole(
    database: Database, enrol: Enrol, monkeypatch: pytest.MonkeyPatch, following: Following
) -> None:
    monkeypatch.setattr("service.follower_index.LOAD_BATCH", 7)
    monkeypatch.setattr("service.follower_index.CHANGES_BATCH", 3)
    await enrol(database, 50)
    async with following() as follower:
        assert_same(held_by(follower), await truth_of(database))
        await enrol(database, 50)
        await level(follower, database)
        assert_same(held_by(follower), await truth_of(database))


async def test_a_load_holds_one_batch_at_a_time(database: Database, enrol: Enrol) -> None:
    await enrol(database, 20)
    async with database.reading() as session:
        batches = FollowerRepository(session, MODEL_ID).crops(6)
        assert [len(batch) async for batch in batches] == [6, 6, 6, 2]


async def test_what_is_committed_while_it_loads_is_neither_lost_nor_applied_twice(
    database: Database, enrol: Enrol, remove: Remove, follow: Follow
) -> None:
    first = await enrol(database, 10)

    class Slow(SegmentedIndex):
        """Lets a writer in between the snapshot and the end of the load."""

        def apply(self, *arguments: Any) -> None:
            if not done.is_set():
                asyncio.run_coroutine_threadsafe(write(), loop).result()
            super().apply(*arguments)

    async def write() -> None:
        done.set()
        await enrol(database, 5)
        await _remove(database, remove, first[0].id)

    done, loop = asyncio.Event(), asyncio.get_running_loop()
    follower = follow(0.02, kind=Slow)
    await follower.start()
    await level(follower, database)
    assert done.is_set()
    assert_same(held_by(follower), await truth_of(database))
    assert len(held_by(follower)) == 14
    await follower.close()


async def test_it_follows_without_being_woken(
    database: Database, enrol: Enrol, remove: Remove, following: Following
) -> None:
    async with following() as follower:
        crops = await enrol(database, 3)
        await until(lambda: held_by(follower).keys() == {crop.id for crop in crops})
        await _remove(database, remove, crops[1].id)
        await until(lambda: held_by(follower).keys() == {crops[0].id, crops[2].id})


async def test_waking_spares_the_wait(database: Database, enrol: Enrol, following: Following) -> None:
    async with following(poll_s=60) as follower:
        await enrol(database)
        head = await head_of(database)
        assert follower.sequence < head
        follower.wake()
        await until(lambda: follower.sequence == head)
        await enrol(database)
        assert await follower.wait_for(head + 1, 5)  # waiting wakes it as well


async def test_waiting_for_what_never_comes_ends(database: Database, following: Following) -> None:
    async with following() as follower:
        assert not await follower.wait_for(1, 0.1)
        assert await follower.wait_for(0, 0.1)


async def test_a_rolled_back_transaction_is_never_seen(
    database: Database, add: Add, enrol: Enrol, following: Following
) -> None:
    async with following() as follower:
        async with database.transaction() as session:
            await add(session)
            await asyncio.sleep(0.1)
            assert held_by(follower) == {}
            await session.rollback()
        (crop,) = await enrol(database)
        await level(follower, database)
        assert held_by(follower).keys() == {crop.id}


async def test_an_id_deleted_and_inserted_again_is_held_as_it_is_now(
    database: Database, enrol: Enrol, remove: Remove, following: Following
) -> None:
    (crop,) = await enrol(database, camera_id="old")
    async with following(poll_s=60) as follower:
        await _remove(database, remove, crop.id)
        await enrol(database, id=crop.id, camera_id="new", collection="other")
        await level(follower, database)
        assert held_by(follower) == {}
        assert held_by(follower, "other")[crop.id].camera_id == "new"
        assert_same(held_by(follower, "default", "other"), await truth_of(database))


async def test_a_vector_of_another_model_never_gets_in(database: Database, enrol: Enrol, following: Following) -> None:
    await enrol(database, collection="foreign", model_id="model-2")
    async with following() as follower:
        await enrol(database, collection="foreign", model_id="model-2")
        (own,) = await enrol(database)
        await level(follower, database)
        assert follower.index.stats().crops == 1
        assert held_by(follower).keys() == {own.id}
    async with following(model_id="model-2") as follower:
        assert follower.index.stats().crops == 2
        assert "default" not in follower.index.stats().collections


async def test_three_followers_and_concurrent_writers_converge(
    database: Database, add: Add, remove: Remove, following: Following
) -> None:
    """Random enrolments, deletions, re-insertions, rollbacks by four writers; every index ends equal to the truth."""
    alive: list[NewCrop] = []

    async def write(seed: int) -> None:
        chance = random.Random(seed)
        for step in range(15):
            crop = alive.pop(chance.randrange(len(alive))) if alive and chance.random() < 0.4 else None
            again = crop is not None and chance.random() < 0.5
            async with database.transaction() as session:
                collection = chance.choice(["default", "other"])
                if crop is not None:
                    await remove(session, crop.id)
                if crop is None or again:
                    fields = {"id": crop.id} if crop else {"track_id": str(step)}
                    added = await add(session, 1 if crop else chance.randrange(1, 5), collection=collection, **fields)
                await asyncio.sleep(chance.random() * 0.01)
                if crop is None and chance.random() < 0.1:
                    await session.rollback()
                    continue
            if crop is None or again:
                alive.extend(added)

    async with following() as one, following(0.005) as two:
        writers = asyncio.gather(*(write(seed) for seed in range(4)))
        async with following(0.05) as three:  # joins in the middle
            await writers
            truth = await truth_of(database)
            assert truth.keys() == {crop.id for crop in alive}
            assert len({sighting.collection for sighting in truth.values()}) == 2
            for follower in (one, two, three):
                await level(follower, database)
                assert follower.index.watermark == await head_of(database)
                assert_same(held_by(follower, "default", "other"), truth)
    async with following() as restarted:
        assert_same(held_by(restarted, "default", "other"), truth)


async def test_a_row_that_cannot_be_applied_is_loud_and_not_stepped_over(
    database: Database, enrol: Enrol, remove: Remove, following: Following
) -> None:
    async with following() as follower:
        before = follower.sequence
        (wrong,) = await enrol(database, embedding=np.array([0.6, 0.8], dtype=np.float32))
        (later,) = await enrol(database)
        await until(lambda: not follower.ready)
        assert follower.last_error is not None
        assert str(wrong.id) in follower.last_error
        assert follower.sequence == before
        assert held_by(follower) == {}
        lag = follower.lag_s
        await asyncio.sleep(0.05)
        assert follower.lag_s > lag
        await _remove(database, remove, wrong.id)
        follower.wake()
        await until(lambda: follower.ready)
        assert follower.last_error is None
        assert held_by(follower).keys() == {later.id}


async def test_a_broken_vector_stops_the_first_load(database: Database, enrol: Enrol, follow: Follow) -> None:
    (crop,) = await enrol(database)
    async with database.transaction() as session:
        await session.execute(text("UPDATE embeddings SET vector = '\\x0000'"))
    follower = follow(0.02)
    with pytest.raises(VectorError, match=str(crop.id)):
        await follower.start()
    assert not follower.ready


async def test_an_outage_leaves_the_index_as_it_is_and_heals(
    database: Database, enrol: Enrol, monkeypatch: pytest.MonkeyPatch, following: Following
) -> None:
    (crop,) = await enrol(database)
    async with following() as follower:

        @asynccontextmanager
        async def down() -> AsyncIterator[AsyncSession]:
            raise UnavailableError("The database does not answer.")
            yield

        with monkeypatch.context() as outage:
            outage.setattr(database, "reading", down)
            await until(lambda: follower.last_error is not None)
            assert follower.last_error == "The database does not answer."
            assert follower.ready
            assert held_by(follower).keys() == {crop.id}
            lag = follower.lag_s
            await asyncio.sleep(0.05)
            assert follower.lag_s > lag
        (second,) = await enrol(database)
        follower.wake()
        await until(lambda: held_by(follower).keys() == {crop.id, second.id})
        await until(lambda: follower.last_error is None and follower.lag_s < 1)


async def test_connections_cut_by_the_server_do_not_end_it(
    database: Database, enrol: Enrol, following: Following
) -> None:
    async with following() as follower:
        for _ in range(5):
            async with database.transaction() as session:
                await session.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                )
            (crop,) = await enrol(database)
            follower.wake()
            await until(partial(holds, follower, crop.id))
        assert follower.ready


async def test_a_change_log_that_went_back_is_loaded_anew(
    database: Database, enrol: Enrol, following: Following
) -> None:
    """A database restored from a backup: its log ends before the cursor, its rows are those of then."""
    (kept,) = await enrol(database)
    (lost,) = await enrol(database)
    async with following() as follower:
        follower.note_commit(2)
        await _forget(database, lost.id)
        await until(lambda: follower.ready and follower.sequence == 1)
        assert held_by(follower).keys() == {kept.id}
        assert follower.committed == 0
        (again,) = await enrol(database)
        follower.note_commit(2)
        await level(follower, database)
        assert follower.committed == 2
        assert held_by(follower).keys() == {kept.id, again.id}


async def test_a_change_log_that_went_back_to_what_the_index_had_is_loaded_anew(
    database: Database, enrol: Enrol, following: Following
) -> None:
    """What this process committed is lost before its follower saw it: the log ends at the cursor, yet went back."""
    await enrol(database)
    async with following() as follower:
        follower.note_commit(2)
        await until(lambda: follower.committed == 0)
        await until(lambda: follower.ready and follower.sequence == 1)


async def test_no_index_is_had_before_it_is_whole(
    database: Database, enrol: Enrol, monkeypatch: pytest.MonkeyPatch, follow: Follow
) -> None:
    monkeypatch.setattr("service.follower_index.LOAD_BATCH", 2)
    had: list[tuple[bool, int]] = []

    class Watched(SegmentedIndex):
        def apply(self, *arguments: Any) -> None:
            had.append((follower.loaded, follower.sequence))
            super().apply(*arguments)

    *_, lost = await enrol(database, 6)
    follower = follow(0.02, kind=Watched)
    await follower.start()
    await _forget(database, lost.id)
    await until(lambda: follower.ready and follower.sequence == 5)
    assert follower.index.stats().crops == 5
    await follower.close()
    assert had == [(False, 0)] * (4 + 4)  # three batches and the watermark, each time


async def test_a_load_that_is_cancelled_leaves_no_cursor_open(
    database: Database, enrol: Enrol, monkeypatch: pytest.MonkeyPatch, follow: Follow
) -> None:
    """It is closed before the session; one that is left open is warned of when it is collected."""
    monkeypatch.setattr("service.follower_index.LOAD_BATCH", 2)
    entered, loop = asyncio.Event(), asyncio.get_running_loop()
    streams: list[Any] = []
    crops = FollowerRepository.crops

    def noted(truth: FollowerRepository, batch: int) -> AsyncGenerator[PackedCrops, None]:
        stream = crops(truth, batch)
        streams.append(stream)
        return stream

    monkeypatch.setattr(FollowerRepository, "crops", noted)

    class Slow(SegmentedIndex):
        def apply(self, *arguments: Any) -> None:
            loop.call_soon_threadsafe(entered.set)
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0.1), loop).result()
            super().apply(*arguments)

    await enrol(database, 6)
    loading = asyncio.create_task(follow(0.02, kind=Slow).start())
    await entered.wait()
    loading.cancel()
    await asyncio.wait([loading])
    assert loading.cancelled()
    assert [stream.ag_frame for stream in streams] == [None]  # at its end
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del loading
        gc.collect()
        await asyncio.sleep(0)
        gc.collect()
    assert [str(one.message) for one in caught if one.category is ResourceWarning] == []
    await database.ping()


async def test_stopping_at_any_moment_ends(database: Database, following: Following) -> None:
    """Also in the very moment in which it is woken."""
    async with asyncio.timeout(20):
        for turns in range(20):
            async with following(poll_s=60) as follower:
                await asyncio.sleep(0.01)
                follower.wake()
                for _ in range(turns):
                    await asyncio.sleep(0)


async def test_stopping_waits_for_the_step_that_is_being_applied(
    database: Database, enrol: Enrol, follow: Follow
) -> None:
    entered = asyncio.Event()
    finished: list[int] = []
    loop = asyncio.get_running_loop()

    class Slow(SegmentedIndex):
        def apply(self, *arguments: Any) -> None:
            if follower.ready:
                loop.call_soon_threadsafe(entered.set)
                asyncio.run_coroutine_threadsafe(asyncio.sleep(0.2), loop).result()
            super().apply(*arguments)
            finished.append(self.watermark)

    follower = follow(0.01, kind=Slow)
    await follower.start()
    await enrol(database)
    await asyncio.wait_for(entered.wait(), 5)
    await follower.close()
    assert finished[-1] == 1
