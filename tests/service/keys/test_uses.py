"""When keys were last used, written without anybody waiting for it."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from support.keys import made_key

from service.database.engine import Database
from service.keys.repository import KeyRepository
from service.keys.uses import UseLog


async def last_use(database: Database, key_id: UUID) -> datetime | None:
    async with database.reading() as session:
        record = await KeyRepository(session).get(key_id)
    assert record is not None
    return record.last_used_at


async def until_used(database: Database, key_id: UUID, after: datetime | None = None) -> datetime:
    for _ in range(500):
        used = await last_use(database, key_id)
        if used is not None and (after is None or used > after):
            return used
        await asyncio.sleep(0.01)
    pytest.fail("the use was not written")


async def test_the_first_use_is_written_at_once(database: Database) -> None:
    record, _ = await made_key(database)
    assert record.last_used_at is None
    log = UseLog(database)
    log.start()
    log.note(record.id)
    used = await until_used(database, record.id)
    assert abs(datetime.now(UTC) - used) < timedelta(seconds=30)
    await log.stop()


async def test_the_following_ones_wait_for_their_turn(database: Database) -> None:
    record, _ = await made_key(database)
    log = UseLog(database, period_s=60)
    log.start()
    log.note(record.id)
    first = await until_used(database, record.id)
    for _ in range(10):
        log.note(record.id)
        await asyncio.sleep(0.01)
    assert await last_use(database, record.id) == first
    await log.stop()


async def test_and_are_written_then(database: Database) -> None:
    record, _ = await made_key(database)
    log = UseLog(database, period_s=0.1)
    log.start()
    log.note(record.id)
    first = await until_used(database, record.id)
    log.note(record.id)
    await until_used(database, record.id, after=first)
    await log.stop()


async def test_what_was_noted_is_written_at_the_end(database: Database) -> None:
    records = [(await made_key(database))[0] for _ in range(2)]
    log = UseLog(database)
    for record in records:
        log.note(record.id)
    await log.stop()
    for record in records:
        assert await last_use(database, record.id) is not None


async def test_an_earlier_use_of_another_process_changes_nothing(database: Database) -> None:
    record, _ = await made_key(database)
    late = datetime.now(UTC)
    for used in (late, late - timedelta(minutes=1)):
        async with database.transaction() as session:
            await KeyRepository(session).note_uses({record.id: used})
    assert await last_use(database, record.id) == late


async def test_a_database_that_is_away_loses_nothing(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    record, _ = await made_key(database)
    nowhere = Database("postgresql://nobody@127.0.0.1:1/nothing", pool_size=1)
    log = UseLog(nowhere)
    log.note(record.id)
    await log.stop()
    assert "could not be written" in caplog.text
    log._database = database
    await log.stop()
    assert await last_use(database, record.id) is not None
    await nowhere.close()
