"""Processes tell each other how clean their files are, and are forgotten when they are gone."""

import asyncio
from collections.abc import Callable
from uuid import uuid4

import pytest
from sqlalchemy import text

from service.database.engine import Database
from service.processes.presence import Cleanliness, Presence
from service.processes.repository import ProcessRepository

ME, NOBODY = uuid4(), uuid4()


async def unclean(database: Database, sequence: int) -> list[str]:
    async with database.reading() as session:
        return await ProcessRepository(session).unclean(sequence, besides=NOBODY)


async def until(database: Database, sequence: int, condition: Callable[[list[str]], bool]) -> None:
    async with asyncio.timeout(2):
        while not condition(await unclean(database, sequence)):  # noqa: ASYNC110 - seen from outside, as by others
            await asyncio.sleep(0.01)


async def test_it_appears_is_clean_at_once_when_that_is_waited_for_and_leaves(database: Database) -> None:
    now = [Cleanliness(clean=0, deleted=0)]
    presence = Presence(database, ME, "here", lambda: now[0])
    await presence.start()
    assert await unclean(database, 7) == ["here"]
    now[0] = Cleanliness(clean=5, deleted=7)  # the purge is under way
    await asyncio.sleep(0.2)
    assert await unclean(database, 5) == ["here"]
    now[0] = Cleanliness(clean=8, deleted=7)
    await until(database, 7, lambda names: names == [])
    await presence.stop()
    assert await unclean(database, 10**9) == []


async def test_it_says_nothing_where_nobody_waits(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    appear = ProcessRepository.appear

    async def counted(*arguments: object) -> None:
        told.append(arguments)
        await appear(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(ProcessRepository, "appear", counted)
    now = [Cleanliness(clean=3, deleted=3)]
    presence = Presence(database, ME, "here", lambda: now[0])
    await presence.start()
    for sequence in range(4, 10):  # enrolments, one after the other
        now[0] = Cleanliness(clean=sequence, deleted=3)
        await asyncio.sleep(0.06)
    assert len(told) == 1
    monkeypatch.setattr("service.processes.presence.BEAT_S", 0.05)
    await until(database, 9, lambda names: names == [])
    await presence.stop()


async def test_a_process_that_is_gone_is_waited_for_no_longer(database: Database) -> None:
    async with database.transaction() as session:
        await ProcessRepository(session).appear(uuid4(), "killed", 0)
        await ProcessRepository(session).appear(uuid4(), "paused", 0)
        ages = "CASE name WHEN 'killed' THEN interval '31 s' ELSE interval '20 s' END"
        await session.execute(text(f"UPDATE processes SET seen_at = now() - {ages}"))  # noqa: S608 - no input
    presence = Presence(database, ME, "here", lambda: Cleanliness(9, 9))
    await presence.start()
    assert await unclean(database, 5) == ["paused"]
    await presence.stop()


async def test_it_is_never_clean_of_itself(database: Database) -> None:
    async with database.transaction() as session:
        await ProcessRepository(session).appear(ME, "here", 0)
        assert await ProcessRepository(session).unclean(5, besides=ME) == []
