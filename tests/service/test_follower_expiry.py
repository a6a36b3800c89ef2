"""What expired is forgotten by one line, in whatever order it stands among the others."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from support.following import Following, assert_same, held_by, level, truth_of

from service.collections.repository import CollectionRepository
from service.database.engine import Database
from service.database.tables import Change
from service.gallery.records import NewCrop
from service.gallery.repository import GalleryRepository

Add = Callable[..., Awaitable[list[NewCrop]]]
Enrol = Callable[..., Awaitable[list[NewCrop]]]
Remove = Callable[[AsyncSession, UUID], Awaitable[None]]

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def _expire(database: Database, before: datetime, collection: str = "default") -> tuple[int, int]:
    async with database.transaction() as session:
        gallery = GalleryRepository(session)
        owner = await CollectionRepository(session).collection(collection)
        assert owner is not None
        expired, sequence = await gallery.expire(owner.id, before)
        return len(expired), sequence


async def _lines(database: Database) -> int:
    async with database.reading() as session:
        return await session.scalar(select(func.count()).select_from(Change)) or 0


async def test_one_line_makes_every_index_forget(database: Database, enrol: Enrol, following: Following) -> None:
    await enrol(database, 5, captured_at=NOON - HOUR)
    (at_noon,) = await enrol(database, captured_at=NOON)
    (timeless,) = await enrol(database)
    (elsewhere,) = await enrol(database, collection="other", captured_at=NOON - HOUR)
    async with following() as follower:
        assert await _expire(database, NOON) == (5, 9)
        assert await _lines(database) == 9
        await level(follower, database)
        assert held_by(follower, "default", "other").keys() == {at_noon.id, timeless.id, elsewhere.id}
        await follower.reconcile()
        assert follower.status().drift is None


async def test_where_nothing_expired_there_is_no_line(database: Database, enrol: Enrol) -> None:
    await enrol(database, captured_at=NOON)
    assert await _expire(database, NOON) == (0, 1)
    assert await _lines(database) == 1


async def test_an_old_crop_enrolled_afterwards_stays(
    database: Database, enrol: Enrol, remove: Remove, following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one run with the line before it, and in a run of its own; deleted and enrolled again on either side."""
    for batch in (1, 2, 100):
        monkeypatch.setattr("service.follower_index.CHANGES_BATCH", batch)
        async with following(poll_s=60) as follower:
            (early,) = await enrol(database, captured_at=NOON - HOUR)
            await _expire(database, NOON)
            (late,) = await enrol(database, captured_at=NOON - HOUR)
            (again,) = await enrol(database, id=early.id, captured_at=NOON - HOUR)
            await level(follower, database)
            assert_same(held_by(follower), await truth_of(database))
            assert {late.id, again.id} <= held_by(follower).keys()
        async with database.transaction() as session:
            await remove(session, early.id)


async def test_a_crop_committed_while_others_are_deleted(
    database: Database, add: Add, enrol: Enrol, following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its line comes before that of the expiry, by which the index forgets it; so it must be deleted as well."""
    await enrol(database, 2, captured_at=NOON - HOUR)
    async with following() as follower:
        async with database.transaction() as session:
            await add(session, captured_at=NOON - HOUR)
            expiring = asyncio.create_task(_expire(database, NOON))
            await asyncio.sleep(0.3)  # it has deleted what it sees, and waits for the lock of the log
            assert not expiring.done()
        assert (await expiring)[0] == 3
        await level(follower, database)
        assert held_by(follower) == await truth_of(database) == {}


@pytest.mark.parametrize("seed", range(5))
async def test_random_histories_end_at_the_truth(  # noqa: PLR0917 - fixtures
    database: Database,
    add: Add,
    remove: Remove,
    following: Following,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    """Enrolments, deletions, re-insertions at other times and places, expiries; runs of every length."""
    chance = random.Random(seed)
    monkeypatch.setattr("service.follower_index.CHANGES_BATCH", chance.choice([1, 2, 3, 7, 100]))
    gone: list[UUID] = []
    alive: set[UUID] = set()

    async def step(session: AsyncSession) -> None:
        collection, captured_at = chance.choice(["default", "other"]), _some_time(chance)
        fields: dict[str, Any] = {"collection": collection, "captured_at": captured_at}
        what = chance.random()
        if what < 0.45:
            again = {"id": gone.pop()} if gone and chance.random() < 0.5 else {}
            alive.update(crop.id for crop in await add(session, **fields, **again))
        elif what < 0.7 and alive:
            crop_id = chance.choice(sorted(alive))
            await remove(session, crop_id)
            alive.remove(crop_id)
            gone.append(crop_id)
        elif (owner := await CollectionRepository(session).collection(collection)) is not None:
            await GalleryRepository(session).expire(owner.id, NOON + chance.randrange(-3, 3) * HOUR)

    async with following(poll_s=60) as follower:
        for _ in range(12):
            for _ in range(chance.randrange(1, 6)):
                async with database.transaction() as session:
                    await step(session)
                held = await truth_of(database)
                gone += alive - held.keys()
                alive &= held.keys()
            await level(follower, database)
            assert_same(held_by(follower, "default", "other"), await truth_of(database))
        rebuild = follower.status().rebuild
        assert rebuild is not None
        assert rebuild.crops == 0  # all that it holds came by the log
        await follower.reconcile()
        assert follower.status().drift is None


def _some_time(chance: random.Random) -> datetime | None:
    return None if chance.random() < 0.1 else NOON + chance.randrange(-4, 4) * HOUR
