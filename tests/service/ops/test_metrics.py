"""Figures for monitors, as Prometheus' own parser reads them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert
from uuid_utils.compat import uuid7

from service.database.tables import Job, PictureToRemove
from service.errors import UnavailableError
from service.runtime import Runtime

Post = Callable[..., Awaitable[httpx.Response]]
Figures = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def runtime(client: httpx.AsyncClient) -> Runtime:
    return client._transport.app.state.runtime


async def figures(client: httpx.AsyncClient) -> Figures:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    families = text_string_to_metric_families(answer.text)
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def figure(found: Figures, name: str, **labels: str) -> float | None:
    return found.get((f"clip_senet_{name}", frozenset(labels.items())))


async def test_requests_are_counted_by_route_not_by_address(client: httpx.AsyncClient, enroll: Post) -> None:
    (crop,) = (await enroll(1)).json()["items"]
    for path in (f"/gallery/{crop['id']}", f"/gallery/{uuid7()}", "/nowhere/42", "/nowhere/43"):
        await client.get(path)
    await client.request("BREW", "/nowhere/44")
    found = await figures(client)
    route = {"method": "GET", "route": "/gallery/{crop_id}"}
    assert figure(found, "http_requests_total", **route, status="200") == 1
    assert figure(found, "http_requests_total", **route, status="404") == 1
    assert figure(found, "http_requests_total", method="GET", route="none", status="404") == 2
    assert {dict(labels)["method"] for name, labels in found if name == "clip_senet_http_requests_total"} == {
        "GET",
        "POST",
        "other",
    }
    assert figure(found, "http_request_seconds_count", **route) == 2
    assert str(crop["id"]) not in str(found)


async def test_how_the_index_and_the_process_stand(client: httpx.AsyncClient, enroll: Post, runtime: Runtime) -> None:
    sequence = (await enroll(1, 2)).json()["sequence"]
    await runtime.follower.wait_for(sequence, 5)
    found = await figures(client)
    assert figure(found, "index_crops") == 2
    assert (figure(found, "index_usable"), figure(found, "index_drift"), figure(found, "database_up")) == (1, 0, 1)
    assert figure(found, "embedding_queue_crops", lane="search") == 0
    assert found["process_resident_memory_bytes", frozenset()] > 1e6


async def test_what_waits(client: httpx.AsyncClient, runtime: Runtime) -> None:
    await runtime.jobs.stop()
    async with runtime.database.transaction() as session:
        job = {"parameters": {}, "state": "queued", "done": 0, "cancel_requested": False, "run_done": 0}
        for error in (None, "The crop store is full."):
            await session.execute(insert(Job).values(id=uuid7(), kind="delete_crops", error=error, **job))
        await session.execute(insert(PictureToRemove).values(crop_id=uuid7()))
    found = await figures(client)
    assert figure(found, "jobs", kind="delete_crops", state="queued") == 2
    assert figure(found, "jobs", kind="rebuild_index", state="running") == 0
    assert figure(found, "jobs_held_up", kind="delete_crops") == 1
    assert figure(found, "webhook_messages", state="dead") == 0
    assert figure(found, "pictures_to_remove") == 1


async def test_a_database_that_is_away_is_a_figure(
    client: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def reading() -> AsyncIterator[Any]:
        raise UnavailableError("The database does not answer.")
        yield

    monkeypatch.setattr(runtime.database, "reading", reading)
    found = await figures(client)
    assert figure(found, "database_up") == 0
    assert figure(found, "jobs", kind="delete_crops", state="queued") is None
    assert figure(found, "index_usable") == 1
