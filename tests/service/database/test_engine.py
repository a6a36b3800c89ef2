"""The door to the database: what commits, what does not, and how trouble is told."""

import asyncio

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from uuid_utils.compat import uuid7

from service.collections.repository import CollectionRepository
from service.database.engine import Database, load_json, postgres_url
from service.errors import InvalidValueError, UnavailableError


async def test_a_block_that_raises_leaves_nothing(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction() as session:
            await CollectionRepository(session).ensure_collection("default", "model-1")
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    async with database.reading() as session:
        assert await CollectionRepository(session).collection("default") is None


async def test_reading_is_one_snapshot_and_writes_nothing(database: Database) -> None:
    async with database.reading() as session:
        assert await CollectionRepository(session).collection("default") is None
        async with database.transaction() as other:
            await CollectionRepository(other).ensure_collection("default", "model-1")
        assert await CollectionRepository(session).collection("default") is None
        with pytest.raises(UnavailableError, match="takes no writes"):
            await _write_while_reading(database)
    async with database.transaction() as session:  # the connection that was read-only writes again
        await CollectionRepository(session).ensure_collection("later", "model-1")


async def _write_while_reading(database: Database) -> None:
    async with database.reading() as session:
        await CollectionRepository(session).ensure_collection("never", "model-1")


async def test_a_cancelled_request_gives_its_connection_back(postgres_url: str) -> None:
    database = Database(postgres_url, pool_size=1)

    async def linger() -> None:
        async with database.transaction() as session:
            await CollectionRepository(session).ensure_collection(str(uuid7()), "model-1")
            await session.execute(text("SELECT pg_sleep(60)"))

    for _ in range(3):
        task = asyncio.create_task(linger())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with asyncio.timeout(5), database.reading() as session:
        assert await session.scalar(text("SELECT count(*) FROM collections")) == 0
    await database.close()


async def test_a_full_pool_is_unavailable(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.database.engine.POOL_TIMEOUT_S", 0.1)
    database = Database(postgres_url, pool_size=1)
    async with database.reading():
        with pytest.raises(UnavailableError, match="connection is in use"):
            await database.ping()
    await database.ping()
    await database.close()


async def test_connections_ended_by_the_server_are_replaced(database: Database, postgres_server: str) -> None:
    await asyncio.gather(*(database.ping() for _ in range(5)))
    async with database.transaction() as session:
        name = await session.scalar(text("SELECT current_database()"))
    administrator = Database(postgres_server, pool_size=1)
    async with administrator.transaction() as session:
        ended = text("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = :name")
        assert (await session.scalar(ended, {"name": name})) >= 1
    await administrator.close()
    await asyncio.gather(*(database.ping() for _ in range(5)))


async def test_a_mistake_in_sql_is_no_outage(database: Database) -> None:
    async def mistake() -> None:
        async with database.reading() as session:
            await session.execute(text("SELECT nonsense"))

    with pytest.raises(ProgrammingError):
        await mistake()


async def test_a_row_too_large_for_its_index_is_no_outage(database: Database) -> None:
    async def insert_long_name() -> None:
        name = "".join(map(chr, np.random.default_rng(0).integers(0x4E00, 0x9FFF, 3000)))  # not to be compressed
        async with database.transaction() as session:
            await CollectionRepository(session).ensure_collection(name, "model-1")

    with pytest.raises(InvalidValueError, match="too long"):
        await insert_long_name()


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/nothing", pool_size=1)
    with pytest.raises(UnavailableError, match="does not answer"):
        await database.ping()
    await database.close()


@pytest.mark.parametrize("url", ["postgres://u:p@h/d", "postgresql://u:p@h/d", "postgresql+psycopg://u:p@h/d"])
def test_every_spelling_of_postgresql_is_taken(url: str) -> None:
    assert postgres_url(url).render_as_string(hide_password=False) == "postgresql+psycopg://u:p@h/d"


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://u:secret@h/d", "postgresql+asyncpg://u:secret@h/d"])
def test_every_other_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="postgresql://") as caught:
        postgres_url(url)
    assert "secret" not in str(caught.value)


async def test_options_of_the_url_are_kept(postgres_url: str) -> None:
    database = Database(f"{postgres_url}&options=-c%20work_mem%3D5MB", pool_size=1)
    async with database.reading() as session:
        assert await session.scalar(text("SHOW work_mem")) == "5MB"
        assert await session.scalar(text("SHOW timezone")) == "UTC"
    await database.close()


@pytest.mark.parametrize(
    ("written", "read"),
    [("1", 1), ("-7", -7), (str(2**53), 2**53), ("1" + "0" * 23, 1e23), ("-1" + "0" * 300, -1e300), ("1.0", 1.0)],
)
def test_numbers_beyond_the_exact_integers_are_floats_again(written: str, read: float) -> None:
    assert load_json(written) == read
    assert type(load_json(written)) is type(read)
