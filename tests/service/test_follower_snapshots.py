"""Starting from what an earlier process left, and building the index where that may not be."""

import asyncio
import shutil
import threading
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from support.following import Follow, Following, assert_same, head_of, held_by, holds, level, truth_of, until

from index.segmented import SegmentedIndex
from index.segments.files import StorageError
from service.change_log import ChangeLogKeeper
from service.database.engine import Database
from service.follower import Follower
from service.gallery.records import NewCrop

Enrol = Callable[..., Awaitable[list[NewCrop]]]
Remove = Callable[[AsyncSession, UUID], Awaitable[None]]


async def _do(database: Database, *statements: str) -> None:
    async with database.transaction() as session:
        for statement in statements:
            await session.execute(text(statement))


def _reason(follower: Follower) -> str | None:
    rebuild = follower.status().rebuild
    return None if rebuild is None else rebuild.reason


def _folders(root: Path) -> set[str]:
    """Numbered folders: one for each index that was open at once."""
    return {path.name for path in root.iterdir() if path.name.isdigit()}


@pytest.fixture
async def left(database: Database, enrol: Enrol, following: Following, tmp_path: Path) -> Path:
    """The folder of a follower that has seen six crops in two collections and has been stopped."""
    folder = tmp_path / "index"
    async with following(folder=folder) as follower:
        await enrol(database, 4, attributes={"colour": "red"}, track_id="7")
        await enrol(database, 2, collection="other")
        await level(follower, database)
    return folder


async def test_a_restart_reads_on_from_where_it_stopped(
    database: Database, enrol: Enrol, remove: Remove, following: Following, left: Path
) -> None:
    crops = list(await truth_of(database))
    async with database.transaction() as session:
        await remove(session, crops[0])
    await enrol(database, 1, id=crops[0], camera_id="moved")
    async with database.transaction() as session:
        await remove(session, crops[1])
    await enrol(database, 2)
    async with following(folder=left) as follower:
        status = follower.status()
        assert (status.rebuild, status.snapshot_sequence, status.sequence) == (None, 6, 11)
        assert_same(held_by(follower, "default", "other"), await truth_of(database))


async def test_nothing_is_answered_before_the_log_was_read(
    database: Database, remove: Remove, follow: Follow, left: Path
) -> None:
    """What was acknowledged as deleted is not found again, not even in the first moment."""
    gone = next(iter(await truth_of(database)))
    async with database.transaction() as session:
        await remove(session, gone)
    had: list[bool] = []

    class Watched(SegmentedIndex):
        def apply(self, *arguments: Any) -> None:
            had.append(follower.loaded)
            super().apply(*arguments)

    follower = follow(folder=left, kind=Watched)
    await follower.start()
    assert had == [False]
    assert not holds(follower, gone)
    await follower.close()


async def test_it_makes_snapshots_after_so_many_changes(
    database: Database, enrol: Enrol, following: Following, tmp_path: Path
) -> None:
    async with following(folder=tmp_path / "index", snapshot_changes=5) as follower:
        await until(lambda: follower.status().snapshot_age_s is not None)  # the one after building
        await enrol(database, 4)
        await level(follower, database)
        await asyncio.sleep(0.2)
        assert follower.status().snapshot_sequence == 0
        await enrol(database, 1)
        await until(lambda: follower.status().snapshot_sequence == 5)
        assert (follower.status().snapshot_age_s or 0) < 5


async def test_it_makes_snapshots_now_and_then(database: Database, enrol: Enrol, following: Following) -> None:
    async with following(snapshot_s=0.1) as follower:
        await enrol(database, 1)
        await until(lambda: follower.status().snapshot_sequence == 1)
        await enrol(database, 1)
        await until(lambda: follower.status().snapshot_sequence == 2)


@pytest.mark.parametrize("freezes", ["early", "late"])
async def test_following_goes_on_while_a_snapshot_is_made(  # noqa: PLR0917 - fixtures
    database: Database, enrol: Enrol, follow: Follow, following: Following, tmp_path: Path, freezes: str
) -> None:
    """Whether it holds the changes that came meanwhile or not; and a process that is killed then starts from it."""
    begun, go_on = threading.Event(), threading.Event()

    class Slow(SegmentedIndex):
        def snapshot(self) -> int:
            sequence = super().snapshot() if freezes == "early" else None
            begun.set()
            assert go_on.wait(20)
            return super().snapshot() if sequence is None else sequence

    await enrol(database)
    follower = follow(folder=tmp_path / "index", kind=Slow)
    await follower.start()
    try:
        assert await asyncio.to_thread(begun.wait, 10)
        await enrol(database, 3)
        await level(follower, database)
        assert len(held_by(follower)) == 4
        go_on.set()
        await until(lambda: follower.status().snapshot_age_s is not None)
        shutil.copytree(tmp_path / "index", tmp_path / "killed")
    finally:
        go_on.set()
        await follower.close()
    async with following(folder=tmp_path / "killed") as restarted:
        assert (_reason(restarted), len(held_by(restarted))) == (None, 4)


async def test_an_index_without_snapshots_goes_on(database: Database, enrol: Enrol, following: Following) -> None:
    class Full(SegmentedIndex):
        def snapshot(self) -> int:
            raise OSError("no space left on device")

    async with following(kind=Full) as follower:
        await until(lambda: follower.status().snapshot_problem is not None)
        assert "no space left" in (follower.status().snapshot_problem or "")
        (crop,) = await enrol(database)
        await level(follower, database)
        assert holds(follower, crop.id)
        assert follower.ready


async def test_a_disk_that_stays_full_is_one_line_of_the_log(
    database: Database, enrol: Enrol, following: Following, caplog: pytest.LogCaptureFixture
) -> None:
    attempts: list[bool] = []

    class Filled(SegmentedIndex):
        def snapshot(self) -> int:
            attempts.append(len(attempts) < 3)
            if attempts[-1]:
                raise StorageError("no space left on device")
            return super().snapshot()

    with caplog.at_level("INFO", "service.follower_duties"):
        async with following(kind=Filled, snapshot_s=0.05) as follower:
            await enrol(database)
            await until(lambda: follower.status().snapshot_sequence == 1)
    told = [record for record in caplog.records if record.name == "service.follower_duties"]
    assert [record.getMessage() for record in told] == [
        "No snapshot of the index could be made; it goes on without one: StorageError: no space left on device",
        "Snapshots of the index are made again.",
    ]
    assert told[0].exc_info is None
    assert attempts[:3] == [True, True, True]


async def test_an_index_that_cannot_write_its_files_says_so(
    database: Database, enrol: Enrol, following: Following, tmp_path: Path
) -> None:
    folder = tmp_path / "index"
    async with following(folder=folder) as follower:
        assert follower.status().files_problem is None
        (folder / "0" / "segments").write_bytes(b"")  # where a folder is to be
        (crop,) = await enrol(database)
        await level(follower, database)
        await _do(database, "UPDATE collections SET codec = 'fp16'")  # what is in memory is to be written out now
        await enrol(database)
        await until(lambda: follower.status().files_problem is not None)
        assert holds(follower, crop.id)
        (folder / "0" / "segments").unlink()


async def test_another_history_with_the_same_numbers_is_noticed(
    database: Database, enrol: Enrol, following: Following, left: Path
) -> None:
    """Restored from a backup and written to again before anyone looked: the numbers match, the changes do not."""
    await _do(
        database,
        "DELETE FROM crops WHERE id IN (SELECT crop_id FROM changes WHERE sequence > 3)",
        "DELETE FROM changes WHERE sequence > 3",
        "SELECT setval('change_sequence', 3)",
    )
    await enrol(database, 5)
    assert await head_of(database) == 8
    async with following(folder=left) as follower:
        assert _reason(follower) == "change 6 is another one than was applied: the database was restored"
        assert_same(held_by(follower, "default", "other"), await truth_of(database))


async def test_a_running_follower_notices_it_too(database: Database, enrol: Enrol, following: Following) -> None:
    await enrol(database, 3)
    async with following() as follower:
        await follower.stop()
        await _do(
            database,
            "DELETE FROM crops WHERE id IN (SELECT crop_id FROM changes WHERE sequence > 1)",
            "DELETE FROM changes WHERE sequence > 1",
            "SELECT setval('change_sequence', 1)",
        )
        await enrol(database, 3)
        await follower.start()
        assert_same(held_by(follower), await truth_of(database))
        assert "was restored" in (_reason(follower) or "")


async def test_a_log_that_ends_before_the_snapshot(database: Database, following: Following, left: Path) -> None:
    await _do(
        database,
        "DELETE FROM crops WHERE id IN (SELECT crop_id FROM changes WHERE sequence > 3)",
        "DELETE FROM changes WHERE sequence > 3",
    )
    async with following(folder=left) as follower:
        assert "went back from 6 to 3" in (_reason(follower) or "")
        assert_same(held_by(follower, "default", "other"), await truth_of(database))
    async with following(folder=left) as follower:  # and what it left then can be used
        assert _reason(follower) is None


async def test_a_log_trimmed_beyond_the_snapshot(
    database: Database, enrol: Enrol, remove: Remove, following: Following, left: Path
) -> None:
    async with database.transaction() as session:
        await remove(session, next(iter(await truth_of(database))))
    await enrol(database, 2)
    await ChangeLogKeeper(database, timedelta(0)).trim()
    async with following(folder=left) as follower:
        assert _reason(follower) == "the change log does not reach back to change 6"
        assert_same(held_by(follower, "default", "other"), await truth_of(database))


async def test_a_log_trimmed_under_an_index_of_nothing(database: Database, enrol: Enrol, following: Following) -> None:
    """It stands before the first change, at no line that could be missing."""
    async with following(poll_s=60) as follower:
        await enrol(database, 3)
        await ChangeLogKeeper(database, timedelta(0)).trim()
        await level(follower, database)
        assert _reason(follower) == "the change log does not reach back to its beginning"
        assert len(held_by(follower)) == 3


@pytest.mark.parametrize("files", ["segments/**/*", "snapshots/*.json"])
@pytest.mark.parametrize("damage", ["cut", "flipped"])
async def test_a_damaged_file_is_not_used(
    database: Database, following: Following, left: Path, files: str, damage: str
) -> None:
    for path in (left / "0").glob(files):
        content = bytearray(path.read_bytes() if path.is_file() else b"")
        if content and damage == "cut":
            path.write_bytes(content[: len(content) // 2])
        elif content:
            content[len(content) // 2] ^= 1
            path.write_bytes(content)
    async with following(folder=left) as follower:
        assert _reason(follower) == "there is no snapshot to start from"
        assert_same(held_by(follower, "default", "other"), await truth_of(database))


async def test_a_snapshot_whose_line_is_not_known_is_not_used(
    database: Database, following: Following, left: Path
) -> None:
    for path in (left / "0" / "lines").iterdir():
        path.unlink()
    async with following(folder=left) as follower:
        assert _reason(follower) == "there is no snapshot to start from"
        assert_same(held_by(follower, "default", "other"), await truth_of(database))


async def test_a_snapshot_of_another_model_is_not_used(
    database: Database, enrol: Enrol, following: Following, left: Path
) -> None:
    (crop,) = await enrol(database, collection="theirs", model_id="model-2")
    async with following(folder=left, model_id="model-2") as follower:
        assert held_by(follower, "default", "other", "theirs").keys() == {crop.id}


async def test_a_build_that_failed_is_begun_anew(
    database: Database, enrol: Enrol, following: Following, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing of the half that was there is left in the whole, and its folder is the whole's."""
    monkeypatch.setattr("service.follower_index.LOAD_BATCH", 2)
    await enrol(database, 6)
    failures = [False] * 5 + [True]

    class Failing(SegmentedIndex):
        def apply(self, *arguments: Any) -> None:
            super().apply(*arguments)
            if failures and failures.pop(0):
                raise OSError("no space left on device")

    async with following(kind=Failing, folder=tmp_path) as follower:
        await _do(
            database,
            "DELETE FROM crops WHERE id IN (SELECT crop_id FROM changes WHERE sequence IN (1, 6))",
            "DELETE FROM changes WHERE sequence = 6",
        )
        await until(lambda: not failures and follower.ready and follower.sequence == 5)
        assert_same(held_by(follower), await truth_of(database))
        assert _folders(tmp_path) == {"0"}


async def test_a_collection_keeps_its_own_codec(database: Database, enrol: Enrol, following: Following) -> None:
    await enrol(database, collection="small")
    await enrol(database, collection="plain")
    await _do(database, "UPDATE collections SET codec = 'sq8' WHERE name = 'small'")

    def codecs(follower: Follower) -> dict[str, str]:
        return {name: one.codec for name, one in follower.index.stats().collections.items()}

    async with following() as follower:
        assert codecs(follower) == {"small": "sq8", "plain": "fp32"}
        await _do(database, "UPDATE collections SET codec = 'fp16' WHERE name = 'small'")
        await enrol(database, collection="small")
        await until(lambda: codecs(follower) == {"small": "fp16", "plain": "fp32"})
        await _do(database, "UPDATE collections SET codec = NULL WHERE name = 'small'")
        await until(lambda: codecs(follower) == {"small": "fp32", "plain": "fp32"})
