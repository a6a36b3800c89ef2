"""Jobs over HTTP: listed, looked at, asked for and stopped by those who may."""

from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import select, text

from service.access import Caller, Scope
from service.database.tables import AuditEntry
from service.jobs.records import Kind, NewJob
from service.jobs.repository import JobRepository
from service.jobs.work import work_of
from service.runtime import Runtime

pytestmark = pytest.mark.asyncio(loop_scope="module")

Become = Callable[..., None]


@pytest_asyncio.fixture(loop_scope="module")
async def runtime(shared_client: httpx.AsyncClient) -> AsyncIterator[Runtime]:
    """The parts of the service, whose jobs stay where they are."""
    runtime: Runtime = shared_client._transport.app.state.runtime
    await runtime.jobs.stop()
    yield runtime
    runtime.jobs.start(work_of(runtime))


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Become:
    """Makes the requests that follow those of a key with some scopes and collections."""

    def change(*scopes: Scope, collections: set[str] | None = None) -> None:
        bound = None if collections is None else frozenset(collections)
        caller = Caller(None, "somebody", frozenset(scopes), bound)
        monkeypatch.setattr("service.keys.authentication.ANYONE", caller)

    return change


async def add(runtime: Runtime, kind: Kind = "delete_crops", collection: str | None = None, **fields: Any) -> str:
    new = NewJob(kind=kind, collection=collection, parameters={"filter": {}}, **fields)
    async with runtime.database.transaction() as session:
        return str((await JobRepository(session).add(new)).id)


async def ids_of(client: httpx.AsyncClient, **query: object) -> list[str]:
    answer = await client.get("/jobs", params=query)
    assert answer.status_code == 200, answer.text
    return [job["id"] for job in answer.json()["items"]]


async def test_pages_newest_first(shared_client: httpx.AsyncClient, runtime: Runtime) -> None:
    made = [await add(runtime, collection="paged") for _ in range(5)]
    seen: list[str] = []
    cursor = None
    while True:
        query = {"collection": "paged", "limit": 2} | ({} if cursor is None else {"cursor": cursor})
        page = (await shared_client.get("/jobs", params=query)).json()
        seen += [job["id"] for job in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == made[::-1]


async def test_by_state_and_kind(shared_client: httpx.AsyncClient, runtime: Runtime) -> None:
    deletion = await add(runtime, collection="sorted")
    images = await add(runtime, "remove_images", "sorted")
    await shared_client.post(f"/jobs/{deletion}/cancel")
    assert await ids_of(shared_client, collection="sorted") == [images, deletion]
    assert await ids_of(shared_client, collection="sorted", kinds="remove_images") == [images]
    assert await ids_of(shared_client, collection="sorted", states="cancelled") == [deletion]
    assert await ids_of(shared_client, collection="sorted", states=["queued", "cancelled"]) == [images, deletion]
    assert await ids_of(shared_client, collection="sorted", states="queued", kinds="delete_crops") == []


async def test_what_a_key_sees(shared_client: httpx.AsyncClient, runtime: Runtime, become: Become) -> None:
    mine, theirs = await add(runtime, collection="mine"), await add(runtime, collection="theirs")
    nobodys = await add(runtime, "rebuild_index")
    become("read", "delete", collections={"mine"})
    assert await ids_of(shared_client) == [mine]
    assert (await shared_client.get(f"/jobs/{mine}")).json()["collection"] == "mine"
    unknown = (await shared_client.get(f"/jobs/{uuid4()}")).json()
    for hidden in (theirs, nobodys):
        for method, path in (("GET", ""), ("POST", "/cancel")):
            answer = await shared_client.request(method, f"/jobs/{hidden}{path}")
            assert (answer.status_code, answer.json()["code"]) == (404, unknown["code"])
    assert (await shared_client.get("/jobs", params={"collection": "theirs"})).status_code == 403
    become("read")
    assert {mine, theirs, nobodys} <= set(await ids_of(shared_client, limit=1000))


async def test_who_may_ask_and_who_may_stop(shared_client: httpx.AsyncClient, runtime: Runtime, become: Become) -> None:
    await shared_client.post("/collections", json={"name": "asked", "keep_images": False})
    removal = {"kind": "remove_images", "collection": "asked"}
    become("read", "delete", "enroll", "search")
    assert (await shared_client.post("/jobs", json=removal)).status_code == 403
    become("admin", collections={"other"})
    assert (await shared_client.post("/jobs", json=removal)).status_code == 403
    assert (await shared_client.post("/jobs", json={"kind": "rebuild_index"})).status_code == 403
    become("admin", collections={"asked"})
    made = await shared_client.post("/jobs", json=removal)
    assert made.status_code == 202
    assert made.headers["Location"] == f"/jobs/{made.json()['id']}"
    deletion = await add(runtime, collection="asked")
    become("delete", collections={"asked"})
    assert (await shared_client.post(f"/jobs/{made.json()['id']}/cancel")).status_code == 403
    assert (await shared_client.post(f"/jobs/{deletion}/cancel")).json()["state"] == "cancelled"
    become("admin", collections={"asked"})
    assert (await shared_client.post(f"/jobs/{made.json()['id']}/cancel")).json()["state"] == "cancelled"
    async with runtime.database.reading() as session:
        entries = await session.scalars(select(AuditEntry).where(AuditEntry.collection == "asked"))
        written = [(one.action, one.filter.get("job_id")) for one in entries if one.action.endswith("_job")]
    assert written == [
        ("create_job", made.json()["id"]),
        ("cancel_job", deletion),
        ("cancel_job", made.json()["id"]),
    ]


async def test_stopping_what_is_over(shared_client: httpx.AsyncClient, runtime: Runtime) -> None:
    job_id = await add(runtime, collection="over")
    assert (await shared_client.post(f"/jobs/{job_id}/cancel")).status_code == 200
    assert (await shared_client.post(f"/jobs/{job_id}/cancel")).json()["state"] == "cancelled"
    done = await add(runtime, collection="over")
    ended = "UPDATE jobs SET state = 'succeeded', finished_at = now() WHERE id = :id"
    async with runtime.database.transaction() as session:
        await session.execute(text(ended), {"id": done})
    answer = await shared_client.post(f"/jobs/{done}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


async def test_what_only_waits_for_clean_files_is_not_stopped(
    shared_client: httpx.AsyncClient, runtime: Runtime
) -> None:
    async with runtime.database.transaction() as session:
        job = await JobRepository(session).add_to_erasure("erased", 7, 1, "somebody")
    answer = await shared_client.post(f"/jobs/{job.id}/cancel")
    assert answer.status_code == 409
    assert "deleted already" in answer.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "delete_crops", "collection": "default"},
        {"kind": "rebuild_index", "collection": "default"},
        {"kind": "remove_images"},
        {"kind": "remove_images", "collection": "a\0"},
        {"kind": "reembed_collection", "collection": "default", "drop_without_picture": "perhaps"},
        {"kind": "reembed_collection", "collection": 7},
    ],
)
async def test_what_makes_no_sense_is_no_job(shared_client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    answer = await shared_client.post("/jobs", json=body)
    assert answer.status_code == 422, answer.text


async def test_of_a_collection_that_is_not_there(shared_client: httpx.AsyncClient) -> None:
    for kind in ("remove_images", "reembed_collection"):
        assert (await shared_client.post("/jobs", json={"kind": kind, "collection": "none"})).status_code == 404


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "cursor=x", "states=done", "kinds=x", "colour=red", "collection=%00"]
)
async def test_queries_are_checked(shared_client: httpx.AsyncClient, query: str) -> None:
    assert (await shared_client.get(f"/jobs?{query}")).status_code == 422
