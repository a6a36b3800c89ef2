"""Changes beside the deletion of what they are about: each is answered as if it came before or after, none half done.

The deletion is held open just before its commit, when others still see what it deletes. Every route that changes
something is asked in that moment, and goes on when the deletion is committed.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from pathlib import Path
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import func, select, text
from support.keys import header
from support.route_cases import CHANGING, DELETING, requests
from support.tenants import Tenant

from service.collections.repository import CollectionRepository
from service.database.engine import Database, Session
from service.database.tables import Camera, Crop, Watch, WatchCrop
from service.deletion.repository import DeletionRepository
from service.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

WRITING = {**CHANGING, **DELETING}
_NUMBERS = count()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def furnished(
    serve: Callable[[Settings], AbstractAsyncContextManager[httpx.AsyncClient]],
    untrained_weights: Path,
    shared_postgres_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    make_jpeg: Callable[..., bytes],
) -> AsyncIterator[Callable[[], Awaitable[Tenant]]]:
    """Makes a tenant with something of every noun; all are of one service."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("service"),
        database_url=shared_postgres_url,
        database_pool=20,  # all requests wait for the deletion at once, each with a connection
        auth="on",
        weights=untrained_weights,
        preset="tiny",
        device="cpu",
        torch_threads=1,
        follower_poll_s=0.02,
        watch_poll_s=0.02,
        webhook_timeout_s=1,
        webhook_allowed=frozenset({"127.0.0.1"}),
    )
    operator = await header(shared_postgres_url, "admin", name="operations")
    async with serve(settings) as client:

        async def make() -> Tenant:
            number = next(_NUMBERS)
            tenant = Tenant(client, operator, f"race-{number}", make_jpeg, 100 * number)
            await tenant.furnish()
            return tenant

        yield make


@pytest.fixture
async def beside(shared_postgres_url: str) -> AsyncIterator[Database]:
    """The service's database, by way of somebody else."""
    database = Database(shared_postgres_url, pool_size=2)
    yield database
    await database.close()


async def answers_beside(
    tenant: Tenant, deleting: AbstractAsyncContextManager[None], database: Database
) -> dict[str, list[httpx.Response]]:
    """What every route that changes something is answered that is asked while a deletion is not committed yet."""
    asked = [one for one in requests(tenant.names, WRITING) if not one[1].operator]
    async with deleting:
        tasks = [
            asyncio.create_task(tenant.client.request(headers=tenant.key, **request), name=operation)
            for operation, _, request in asked
        ]
        await _until_they_wait(tasks, database)
    found: dict[str, list[httpx.Response]] = {}
    for task in tasks:
        found.setdefault(task.get_name(), []).append(await asyncio.wait_for(task, 30))
    return found


async def _until_they_wait(tasks: list[asyncio.Task[httpx.Response]], database: Database) -> None:
    """Wait until each has been answered or waits for a lock, directly or behind another, for a while."""
    before = None
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    for _ in range(100):
        await asyncio.sleep(0.1)
        async with database.reading() as session:
            now = sum(task.done() for task in tasks), await session.scalar(waiting)
        if now == before and now[1]:
            return
        before = now
    raise AssertionError(f"{before}: nothing waits for the deletion")


@asynccontextmanager
async def deleting_collection(tenant: Tenant, patch: pytest.MonkeyPatch, pause: str) -> AsyncIterator[None]:
    """Delete a tenant's collection by a job, which pauses before or after the last thing that it does to a row."""
    paused, go_on, delete = asyncio.Event(), asyncio.Event(), CollectionRepository.delete

    async def slowly(collections: CollectionRepository, collection_id: UUID) -> None:
        if pause == "after":
            await delete(collections, collection_id)
        paused.set()
        await go_on.wait()
        if pause == "before":
            await delete(collections, collection_id)

    patch.setattr(CollectionRepository, "delete", slowly)
    answer = await tenant.client.delete(f"/collections/{tenant.token}", headers=tenant.key)
    assert answer.status_code == 202, answer.text
    await asyncio.wait_for(paused.wait(), 20)
    try:
        yield
    finally:
        go_on.set()


@asynccontextmanager
async def deleting_crops(database: Database, *crop_ids: str) -> AsyncIterator[None]:
    async with database.transaction() as session:
        await DeletionRepository(session).delete_rows([UUID(crop_id) for crop_id in crop_ids])
        yield


@pytest.mark.parametrize("pause", ["before", "after"])
async def test_its_collection_is_deleted(
    furnished: Callable[[], Awaitable[Tenant]], beside: Database, monkeypatch: pytest.MonkeyPatch, pause: str
) -> None:
    tenant = await furnished()
    async with beside.reading() as session:
        gone = (await CollectionRepository(session).named(tenant.token)).id
    found = await answers_beside(tenant, deleting_collection(tenant, monkeypatch, pause), beside)
    faults = [(name, one.text) for name, some in found.items() for one in some if one.status_code >= 500]
    assert faults == []
    expected = {"create_watch", "create_vehicle", "create_judgement", "update_collection"}
    assert {name for name, some in found.items() if {one.status_code for one in some} == {404}} >= expected
    # Whoever may make a collection makes a new one of that name; the watch by image may come after that.
    assert {one.status_code for name in ("enroll_crops", "create_camera") for one in found[name]} <= {201, 409}
    async with beside.reading() as session:
        for table in (Camera, Watch, Crop):
            assert await _count(session, table.collection_id == gone) == 0


async def test_its_crops_are_deleted(furnished: Callable[[], Awaitable[Tenant]], beside: Database) -> None:
    tenant = await furnished()
    crops = (tenant.names.crop, tenant.names.other, tenant.names.vehicle_crop)
    found = await answers_beside(tenant, deleting_crops(beside, *crops), beside)
    faults = [(name, one.text) for name, some in found.items() for one in some if one.status_code >= 500]
    assert faults == []
    expected = {"create_watch", "create_vehicle", "update_crop", "delete_crop"}
    assert {name for name, some in found.items() if {one.status_code for one in some} == {404}} >= expected
    async with beside.reading() as session:
        among = [UUID(crop_id) for crop_id in crops]
        assert await _count(session, WatchCrop.crop_id.in_(among)) == 0


async def _count(session: Session, condition: object) -> int:
    return await session.scalar(select(func.count()).where(condition)) or 0  # type: ignore[arg-type]
