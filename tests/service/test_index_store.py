"""Where a follower comes back to: its own last snapshot, and none that anybody else or another history has left."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from support.following import Following, assert_same, held_by, level, truth_of

from index.segmented import SegmentedIndex
from service.database.engine import Database
from service.follower import Follower
from service.gallery.records import NewCrop

Enrol = Callable[..., Awaitable[list[NewCrop]]]


class Unable(SegmentedIndex):
    """Makes no snapshot, as one whose process is killed on the way there."""

    def snapshot(self) -> int:
        raise OSError("killed")


def _reason(follower: Follower) -> str | None:
    rebuild = follower.status().rebuild
    return None if rebuild is None else rebuild.reason


@pytest.fixture
async def left(database: Database, enrol: Enrol, following: Following, tmp_path: Path) -> Path:
    """The folder of a follower that has seen six crops and has been stopped."""
    folder = tmp_path / "index"
    async with following(folder=folder) as follower:
        await enrol(database, 6)
        await level(follower, database)
    return folder


async def test_a_snapshot_of_a_lost_history_is_not_used_once_its_number_is_reached_again(
    database: Database, enrol: Enrol, following: Following, left: Path
) -> None:
    """The line of its number is noted before the next snapshot is made; then the process ends."""
    async with database.transaction() as session:
        for statement in (
            "DELETE FROM crops WHERE id IN (SELECT crop_id FROM changes WHERE sequence > 3)",
            "DELETE FROM changes WHERE sequence > 3",
            "SELECT setval('change_sequence', 3)",
        ):
            await session.execute(text(statement))
    async with following(folder=left, kind=Unable) as follower:
        await enrol(database, 3)
        await level(follower, database)
        assert follower.sequence == 6
    async with following(folder=left, poll_s=60) as follower:
        assert_same(held_by(follower), await truth_of(database))


async def test_a_process_that_joins_takes_no_snapshot_from_another(
    database: Database, enrol: Enrol, following: Following, left: Path
) -> None:
    async with following(folder=left, kind=Unable) as first:
        await enrol(database)
        await level(first, database)
        async with following(folder=left, kind=Unable) as second:
            assert _reason(second) is not None
    async with following(folder=left) as first:
        assert _reason(first) is None
        assert_same(held_by(first), await truth_of(database))
