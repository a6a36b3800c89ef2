"""Trimming the change log: what is old goes, what someone may stand at stays."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from support.following import Following, assert_same, held_by, level, truth_of, until

from service import change_log
from service.change_log import ChangeLogKeeper
from service.database.engine import Database
from service.database.tables import Change
from service.gallery.records import NewCrop

Enrol = Callable[..., Awaitable[list[NewCrop]]]
DAY = timedelta(days=1)


async def _age(database: Database, *sequences: int) -> None:
    async with database.transaction() as session:
        await session.execute(
            text("UPDATE changes SET created_at = now() - interval '2 days' WHERE sequence = ANY(:some)"),
            {"some": list(sequences)},
        )


async def _left(database: Database) -> list[int]:
    async with database.reading() as session:
        return list(await session.scalars(select(Change.sequence).order_by(Change.sequence)))


async def test_old_lines_go(database: Database, enrol: Enrol) -> None:
    await enrol(database, 6)
    await _age(database, 1, 2, 3)
    assert await ChangeLogKeeper(database, DAY).trim() == 3
    assert await _left(database) == [4, 5, 6]
    assert await ChangeLogKeeper(database, DAY).trim() == 0


async def test_a_line_behind_a_younger_one_stays(database: Database, enrol: Enrol) -> None:
    """Its transaction began early and committed late; the log must have no gaps."""
    await enrol(database, 5)
    await _age(database, 1, 3)
    assert await ChangeLogKeeper(database, DAY).trim() == 1
    assert await _left(database) == [2, 3, 4, 5]


async def test_the_newest_line_stays_however_old(database: Database, enrol: Enrol) -> None:
    await enrol(database, 4)
    await _age(database, 1, 2, 3, 4)
    assert await ChangeLogKeeper(database, DAY).trim() == 3
    assert await _left(database) == [4]


async def test_an_empty_log(database: Database) -> None:
    assert await ChangeLogKeeper(database, DAY).trim() == 0


async def test_many_lines_go_in_several_transactions(
    database: Database, enrol: Enrol, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_log, "TRIMMED_AT_ONCE", 2)
    await enrol(database, 6)
    await _age(database, 1, 2, 3, 4, 5)
    assert await ChangeLogKeeper(database, DAY).trim() == 5
    assert await _left(database) == [6]


async def test_it_trims_in_the_background(database: Database, enrol: Enrol) -> None:
    await enrol(database, 3)
    await _age(database, 1)
    keeper = ChangeLogKeeper(database, DAY)
    keeper.start()
    async with database.reading() as session:
        await session.execute(select(Change.sequence))
    try:
        left: list[int] = []

        async def look() -> None:
            left[:] = await _left(database)

        await look()
        for _ in range(100):
            if left == [2, 3]:
                break
            await look()
        assert left == [2, 3]
    finally:
        await keeper.stop()


async def test_who_is_level_goes_on_and_who_is_behind_builds(
    database: Database, enrol: Enrol, following: Following
) -> None:
    await enrol(database, 2)
    async with following() as level_one, following(poll_s=60) as behind:
        await behind.stop()
        await enrol(database, 3)
        await level(level_one, database)
        await ChangeLogKeeper(database, timedelta(0)).trim()
        assert await _left(database) == [5]
        built = level_one.status().rebuild
        await enrol(database, 1)
        await behind.start()
        await level(level_one, database)
        assert level_one.status().rebuild is built
        rebuild = behind.status().rebuild
        assert rebuild is not None
        assert rebuild.reason == "the change log does not reach back to change 2"
        await until(lambda: behind.ready)
        for follower in (level_one, behind):
            assert_same(held_by(follower), await truth_of(database))
