"""Verifying keys, and how long one is taken for what it was."""

import asyncio
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from support.keys import OPERATOR, made_key

from service.database.engine import Database
from service.errors import UnauthorizedError, UnavailableError
from service.keys.repository import KeyRepository
from service.keys.ring import HELD_S, KeyRing
from service.keys.secret import new_key
from service.keys.service import revoke_key


class CountingDatabase(Database):
    """Counts its sessions; `hold` lets none begin, `broken` none succeed."""

    def __init__(self, url: str) -> None:
        super().__init__(url, pool_size=2)
        self.sessions = 0
        self.hold: asyncio.Event | None = None
        self.broken = False

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        self.sessions += 1
        if self.hold is not None:
            await self.hold.wait()
        if self.broken:
            raise UnavailableError("The database does not answer.")
        async with super().reading() as session:
            yield session


@pytest.fixture
async def counting(postgres_url: str) -> AsyncIterator[CountingDatabase]:
    database = CountingDatabase(postgres_url)
    yield database
    await database.close()


@pytest.fixture
def clock() -> SimpleNamespace:
    return SimpleNamespace(now=0.0)


@pytest.fixture
async def ring(counting: CountingDatabase, clock: SimpleNamespace) -> AsyncIterator[KeyRing]:
    ring = KeyRing(counting, lambda: clock.now)
    yield ring
    await ring.close()


class TestWho:
    async def test_a_key_is_its_record(self, ring: KeyRing, database: Database) -> None:
        record, key = await made_key(database, "search", "read", collections=["harbour"], requests_per_minute=5)
        assert await ring.verify(key) == record
        assert (record.scopes, record.collections) == ({"search", "read"}, {"harbour"})

    @pytest.mark.parametrize(
        ("key", "reason"),
        [(None, "There is no key"), ("", "no key"), ("hunter2", "no key"), (new_key(), "unknown")],
        ids=["none", "empty", "no key", "unknown"],
    )
    async def test_anything_else_is_nobody(self, ring: KeyRing, key: str | None, reason: str) -> None:
        with pytest.raises(UnauthorizedError, match=reason) as refused:
            await ring.verify(key)
        assert "X-API-Key" in refused.value.detail
        if key:
            assert key not in refused.value.detail

    async def test_the_right_prefix_with_another_secret_is_nobody(self, ring: KeyRing, database: Database) -> None:
        record, key = await made_key(database)
        await ring.verify(key)
        forged = f"csk_{record.prefix}_{new_key().split('_')[2]}"
        with pytest.raises(UnauthorizedError, match="unknown"):
            await ring.verify(forged)
        await ring.verify(key)

    async def test_an_expired_key_is_nobody(self, ring: KeyRing, database: Database) -> None:
        record, key = await made_key(database, expires_at="2999-01-01T00:00:00Z")
        async with database.transaction() as session:
            await KeyRepository(session).change(record.id, {"expires_at": datetime.now(UTC)})
        with pytest.raises(UnauthorizedError, match="has expired"):
            await ring.verify(key)

    async def test_a_key_that_is_held_expires_in_time(self, ring: KeyRing, database: Database) -> None:
        expires_at = datetime.now(UTC) + timedelta(seconds=1)
        _, key = await made_key(database, expires_at=expires_at.isoformat())
        await ring.verify(key)
        await asyncio.sleep(1.05)
        with pytest.raises(UnauthorizedError, match="has expired"):
            await ring.verify(key)

    async def test_digests_are_compared_in_constant_time(
        self, ring: KeyRing, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        record, key = await made_key(database)
        compared: list[bytes] = []

        def compare(shown: bytes, stored: bytes) -> bool:
            compared.extend((shown, stored))
            return False

        monkeypatch.setattr(hmac, "compare_digest", compare)
        with pytest.raises(UnauthorizedError):
            await ring.verify(key)
        assert compared == [record.secret_sha256] * 2


class TestHowLong:
    async def test_a_key_in_use_costs_no_round_trip(
        self, ring: KeyRing, counting: CountingDatabase, database: Database, clock: SimpleNamespace
    ) -> None:
        _, key = await made_key(database)
        for _ in range(100):
            await ring.verify(key)
        clock.now = HELD_S - 0.01
        await ring.verify(key)
        assert counting.sessions == 1

    async def test_a_revocation_takes_effect_in_time(
        self, ring: KeyRing, database: Database, clock: SimpleNamespace
    ) -> None:
        record, key = await made_key(database)
        await ring.verify(key)
        await revoke_key(database, OPERATOR, record.id)
        clock.now = HELD_S
        with pytest.raises(UnauthorizedError, match="has been revoked"):
            await ring.verify(key)
        assert HELD_S <= 5

    async def test_a_revocation_during_the_look_up_is_not_held_for_longer(
        self, ring: KeyRing, database: Database, counting: CountingDatabase, clock: SimpleNamespace
    ) -> None:
        """What is read was so when the question was asked, not when the answer came."""
        record, key = await made_key(database)
        counting.hold = asyncio.Event()
        first = asyncio.create_task(ring.verify(key))
        await asyncio.sleep(0.01)
        clock.now = HELD_S - 1
        counting.hold.set()
        await first
        await revoke_key(database, OPERATOR, record.id)
        clock.now = HELD_S
        with pytest.raises(UnauthorizedError, match="has been revoked"):
            await ring.verify(key)

    async def test_a_key_that_is_forgotten_is_looked_up_at_once(self, ring: KeyRing, database: Database) -> None:
        record, key = await made_key(database)
        await ring.verify(key)
        await revoke_key(database, OPERATOR, record.id)
        ring.forget(record.prefix)
        with pytest.raises(UnauthorizedError, match="has been revoked"):
            await ring.verify(key)

    async def test_a_key_made_a_moment_ago_is_known(self, ring: KeyRing, database: Database) -> None:
        with pytest.raises(UnauthorizedError):
            await ring.verify(new_key())
        _, key = await made_key(database)
        await ring.verify(key)


class TestManyAtOnce:
    async def test_keys_that_do_not_exist_take_one_connection_whatever_their_number(
        self, ring: KeyRing, counting: CountingDatabase, database: Database
    ) -> None:
        _, key = await made_key(database)
        counting.hold = asyncio.Event()
        strangers = [asyncio.create_task(ring.verify(new_key())) for _ in range(500)]
        known = asyncio.create_task(ring.verify(key))
        await asyncio.sleep(0.01)
        counting.hold.set()
        outcomes = await asyncio.gather(*strangers, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {UnauthorizedError}
        assert (await known).name == "patrol"
        assert counting.sessions <= 2

    async def test_each_who_waits_is_told_that_the_database_is_gone(
        self, ring: KeyRing, counting: CountingDatabase, database: Database
    ) -> None:
        _, key = await made_key(database)
        counting.broken = True
        outcomes = await asyncio.gather(*(ring.verify(one) for one in (key, new_key())), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [UnavailableError] * 2
        counting.broken = False
        await ring.verify(key)

    async def test_one_who_goes_away_takes_nobody_along(
        self, ring: KeyRing, counting: CountingDatabase, database: Database
    ) -> None:
        _, key = await made_key(database)
        counting.hold = asyncio.Event()
        first, second = (asyncio.create_task(ring.verify(key)) for _ in range(2))
        await asyncio.sleep(0.01)
        first.cancel()
        counting.hold.set()
        assert (await second).name == "patrol"

    async def test_closing_ends_a_look_up_that_is_under_way(
        self, ring: KeyRing, counting: CountingDatabase, database: Database
    ) -> None:
        _, key = await made_key(database)
        counting.hold = asyncio.Event()
        waiting = asyncio.create_task(ring.verify(key))
        await asyncio.sleep(0.01)
        await ring.close()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_the_secret_is_nowhere_in_the_database(database: Database) -> None:
    _, key = await made_key(database, name="gate")
    secret = key.split("_")[2]
    async with database.reading() as session:
        for table in ("keys", "audit"):
            rows = (await session.execute(text(f"SELECT row_to_json(t)::text FROM {table} t"))).scalars()  # noqa: S608
            for row in rows:
                assert "gate" in row
                assert secret not in row
