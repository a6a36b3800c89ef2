"""Views of pictures: in the log before they are shown, however many come at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from service.access import Caller
from service.audit.viewings import ViewingLog
from service.database.engine import Database
from service.database.tables import AuditEntry
from service.errors import UnavailableError

CALLER = Caller(uuid7(), "patrol", frozenset({"read"}), request_id="r-1")


async def count(database: Database) -> int:
    async with database.reading() as session:
        return (await session.execute(select(func.count()).select_from(AuditEntry))).scalar_one()


async def test_an_entry_says_who_saw_what_and_why(database: Database) -> None:
    crop_id = uuid7()
    await ViewingLog(database).record(CALLER, "harbour", crop_id, "case 7")
    async with database.reading() as session:
        (entry,) = (await session.scalars(select(AuditEntry))).all()
    assert (entry.action, entry.collection, entry.crop_ids) == ("get_crop_image", "harbour", [crop_id])
    assert (entry.key_id, entry.key_name, entry.request_id) == (CALLER.key_id, "patrol", "r-1")
    assert entry.purpose == "case 7"


async def test_each_view_is_committed_when_it_is_acknowledged(database: Database) -> None:
    """Whatever else is under way: the process may be killed at that moment."""
    log = ViewingLog(database)

    async def view() -> None:
        crop_id = uuid7()
        await log.record(CALLER, "harbour", crop_id, None)
        async with database.reading() as session:
            found = select(AuditEntry.id).where(AuditEntry.crop_ids.contains([crop_id]))
            assert (await session.scalars(found)).one()

    await asyncio.gather(*(view() for _ in range(100)))
    assert await count(database) == 100


async def test_a_page_of_pictures_takes_few_transactions(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = 0
    transaction = database.transaction

    @asynccontextmanager
    async def counting() -> AsyncIterator[AsyncSession]:
        nonlocal begun
        begun += 1
        async with transaction() as session:
            yield session

    monkeypatch.setattr(database, "transaction", counting)
    log = ViewingLog(database)
    await asyncio.gather(*(log.record(CALLER, "harbour", uuid7(), None) for _ in range(200)))
    assert begun <= 2
    assert await count(database) == 200


async def test_a_view_that_cannot_be_written_is_refused() -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/nothing", pool_size=1)
    with pytest.raises(UnavailableError):
        await ViewingLog(nowhere).record(CALLER, "harbour", uuid7(), None)
    await nowhere.close()
