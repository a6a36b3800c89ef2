"""What was deleted leaves the index's files by itself, soon, and the follower knows when."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from support.following import Follow, Following, assert_same, head_of, held_by, level, truth_of, until
from support.traces import files_with, traces_of_id

from index.segmented import SegmentedIndex
from index.segments.files import StorageError
from service.database.engine import Database
from service.follower import Follower
from service.gallery.records import NewCrop
from service.gallery.repository import GalleryRepository

Enrol = Callable[..., Awaitable[list[NewCrop]]]
Remove = Callable[[AsyncSession, UUID], Awaitable[None]]


async def recorded(follower: Follower, database: Database) -> None:
    """Everything that is enrolled is in the index's files."""
    await level(follower, database)
    await follower.ask(lambda index: index.snapshot())  # type: ignore[attr-defined]


async def removed(database: Database, remove: Remove, crop_id: UUID) -> int:
    async with database.transaction() as session:
        await remove(session, crop_id)
    return await head_of(database)


async def test_a_deleted_crop_leaves_the_files(
    database: Database, enrol: Enrol, remove: Remove, following: Following, tmp_path: Path
) -> None:
    async with following(folder=tmp_path) as follower:
        crops = await enrol(database, 20)
        await recorded(follower, database)
        traces = traces_of_id(crops[0].id)
        assert files_with(tmp_path, traces)
        assert follower.clean_sequence == await head_of(database)
        sequence = await removed(database, remove, crops[0].id)
        await until(lambda: follower.clean_sequence >= sequence)
        assert files_with(tmp_path, traces) == set()
        assert follower.status().clean_sequence == follower.deleted_sequence == sequence
        assert_same(held_by(follower), await truth_of(database))
    async with following(folder=tmp_path) as follower:  # from the snapshot that the purge has made
        assert follower.status().rebuild is None
        assert_same(held_by(follower), await truth_of(database))


async def test_the_line_at_which_a_snapshot_stands_does_not_name_the_crop(
    database: Database, enrol: Enrol, remove: Remove, following: Following, tmp_path: Path
) -> None:
    async with following(folder=tmp_path) as follower:
        crops = await enrol(database, 3)
        await recorded(follower, database)
        sequence = await removed(database, remove, crops[0].id)
        await until(lambda: follower.clean_sequence >= sequence)
    assert list((tmp_path / "0" / "lines").iterdir())
    assert files_with(tmp_path, traces_of_id(crops[0].id)) == set()


async def test_it_is_not_clean_before_it_is(
    database: Database, enrol: Enrol, remove: Remove, following: Following, tmp_path: Path
) -> None:
    class Failing(SegmentedIndex):
        failing = True

        def purge(self) -> int | None:
            if self.failing:
                raise StorageError("no space left on device")
            return super().purge()

    async with following(folder=tmp_path, kind=Failing) as follower:
        crops = await enrol(database, 3)
        sequence = await removed(database, remove, crops[0].id)
        await level(follower, database)
        await until(lambda: follower.status().snapshot_problem is not None)
        assert follower.sequence == sequence
        assert follower.clean_sequence < sequence == follower.deleted_sequence
        assert follower.ready
        Failing.failing = False


async def test_what_cannot_be_purged_keeps_no_snapshot_from_being_made(
    database: Database, enrol: Enrol, remove: Remove, following: Following, tmp_path: Path
) -> None:
    class Failing(SegmentedIndex):
        def purge(self) -> int | None:
            raise StorageError("no space left on device")

    async with following(folder=tmp_path, kind=Failing, snapshot_s=0.05) as follower:
        crops = await enrol(database, 3)
        sequence = await removed(database, remove, crops[0].id)
        await level(follower, database)
        await until(lambda: follower.status().snapshot_sequence == sequence)
        assert follower.status().snapshot_problem is not None
        assert follower.clean_sequence < sequence
        follower._snapshots._tried_at = time.monotonic() + 60
        follower._snapshots._purge_again_from = -math.inf  # at the end it is tried once more
        await enrol(database, 2)
        await level(follower, database)
    async with following(folder=tmp_path) as follower:  # it was stopped, and made a last one
        assert follower.status().rebuild is None
        assert follower.status().snapshot_sequence == await head_of(database)


async def test_a_process_that_ends_leaves_clean_files(
    database: Database, enrol: Enrol, remove: Remove, follow: Follow, tmp_path: Path
) -> None:
    follower = follow(folder=tmp_path)
    await follower.start()
    crops = await enrol(database, 20)
    await recorded(follower, database)
    await until(lambda: follower.clean_sequence == follower.sequence)
    follower._snapshots._purge_from = time.monotonic() + 60  # it has just purged something
    await removed(database, remove, crops[0].id)
    await level(follower, database)
    assert files_with(tmp_path, traces_of_id(crops[0].id))
    await follower.close()
    assert files_with(tmp_path, traces_of_id(crops[0].id)) == set()


async def test_a_process_that_ends_makes_its_snapshot_though_nothing_was_to_be_purged(
    database: Database, enrol: Enrol, remove: Remove, following: Following, tmp_path: Path
) -> None:
    async with following(folder=tmp_path) as follower:
        await until(lambda: follower.clean_sequence == follower.sequence and not follower._snapshots.due)
        follower._snapshots._tried_at = follower._snapshots._purge_from = time.monotonic() + 60
        crops = await enrol(database, 3)
        sequence = await removed(database, remove, crops[0].id)
        await level(follower, database)
    async with following(folder=tmp_path) as again:
        assert (again.status().rebuild, again.status().snapshot_sequence) == (None, sequence)


async def test_what_was_deleted_while_it_was_away_leaves_the_files_at_the_start(
    database: Database, enrol: Enrol, remove: Remove, following: Following, tmp_path: Path
) -> None:
    async with following(folder=tmp_path) as follower:
        crops = await enrol(database, 20)
        await level(follower, database)
    sequence = await removed(database, remove, crops[0].id)
    assert files_with(tmp_path, traces_of_id(crops[0].id))
    async with following(folder=tmp_path) as follower:
        await until(lambda: follower.clean_sequence >= sequence)
        assert files_with(tmp_path, traces_of_id(crops[0].id)) == set()


async def test_what_an_index_that_was_given_up_left_in_its_folder_goes_too(
    database: Database, enrol: Enrol, remove: Remove, following: Following, tmp_path: Path
) -> None:
    async with following(folder=tmp_path) as follower:
        crops = await enrol(database, 20)
        await recorded(follower, database)
        follower.withdraw("a test wants it")
        await until(lambda: not follower.loaded or follower.status().rebuild is not None)
        sequence = await removed(database, remove, crops[0].id)
        await until(lambda: follower.loaded and follower.clean_sequence >= sequence)
        assert files_with(tmp_path, traces_of_id(crops[0].id)) == set()


async def test_what_another_process_has_left_is_waited_for_and_removed(
    database: Database, enrol: Enrol, remove: Remove, following: Following, tmp_path: Path
) -> None:
    purges: list[int] = []

    class Counted(SegmentedIndex):
        def purge(self) -> int | None:
            purges.append(self.watermark)
            return super().purge()

    async with following(folder=tmp_path) as first, following(folder=tmp_path) as second:
        crops = await enrol(database, 20)
        await recorded(first, database)
        await recorded(second, database)
    traces = traces_of_id(crops[0].id)
    async with following(folder=tmp_path, kind=Counted) as follower:
        sequence = await removed(database, remove, crops[0].id)
        await level(follower, database)

        def tried_again() -> bool:
            follower._snapshots._purge_again_from = -math.inf  # a try that is under way puts the next one off
            return not files_with(tmp_path / "0", traces)

        await until(tried_again)
        tries = len(purges)
        await asyncio.sleep(0.2)
        assert len(purges) <= tries + 2
        assert files_with(tmp_path / "1", traces)
        assert follower.clean_sequence < sequence
        follower.index._upkeep._begun_at = -math.inf  # type: ignore[attr-defined]

        def clean() -> bool:
            follower._snapshots._purge_again_from = -math.inf
            return follower.clean_sequence >= sequence

        await until(clean)
        assert files_with(tmp_path, traces) == set()


async def test_purges_take_a_share_of_the_time_however_many_deletions_come(
    database: Database, enrol: Enrol, remove: Remove, following: Following
) -> None:
    spans: list[tuple[float, float]] = []

    class Slow(SegmentedIndex):
        def purge(self) -> int | None:
            began = time.monotonic()
            time.sleep(0.1)
            made = super().purge()
            spans.append((began, time.monotonic()))
            return made

    # a snapshot being due, as it always is here, is no reason to purge before it is time to
    async with following(kind=Slow, snapshot_s=0) as follower:
        crops = await enrol(database, 60)
        await until(lambda: len(spans) > 0)
        began, spans[:] = time.monotonic(), []
        for crop in crops:
            await removed(database, remove, crop.id)
            await asyncio.sleep(0.02)
        await level(follower, database)
        lasted = time.monotonic() - began
        assert 2 <= len(spans) <= lasted / 0.3 + 1
        last = await head_of(database)
        await until(lambda: follower.clean_sequence >= last)


async def test_what_expires_leaves_the_files_too(
    database: Database, enrol: Enrol, following: Following, tmp_path: Path
) -> None:
    async with following(folder=tmp_path) as follower:
        old = await enrol(database, 5, captured_at=datetime(2026, 1, 1, tzinfo=UTC))
        young = await enrol(database, 5, captured_at=datetime(2026, 2, 1, tzinfo=UTC))
        await recorded(follower, database)
        async with database.transaction() as session:
            await GalleryRepository(session).expire(old[0].collection_id, datetime(2026, 1, 15, tzinfo=UTC))
        sequence = await head_of(database)
        await until(lambda: follower.clean_sequence >= sequence)
        assert files_with(tmp_path, traces_of_id(old[2].id)) == set()
        assert files_with(tmp_path, traces_of_id(young[2].id))
