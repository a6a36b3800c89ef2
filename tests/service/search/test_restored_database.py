"""Searches while the index is loaded anew, because the database was restored from a backup under the service."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from index.contract import Sighting
from index.segmented import SegmentedIndex
from service.runtime import Runtime

Post = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
def runtime(client: httpx.AsyncClient) -> Runtime:
    return client._transport.app.state.runtime


async def test_no_search_sees_a_part_of_the_gallery(
    client: httpx.AsyncClient, runtime: Runtime, enroll: Post, search: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = (await enroll(*range(1, 8))).json()["items"]
    (last,) = (await enroll(8)).json()["items"]
    assert (await search(1)).json()["search"]["candidates"] == 8

    monkeypatch.setattr("service.follower_index.LOAD_BATCH", 3)
    half_way, go_on = threading.Event(), threading.Event()
    apply = SegmentedIndex.apply

    def stops_half_way(
        index: SegmentedIndex, upserts: Iterable[Sighting], deletes: Iterable[UUID], watermark: int
    ) -> None:
        apply(index, upserts, deletes, watermark)
        half_way.set()
        assert go_on.wait(30)

    monkeypatch.setattr(SegmentedIndex, "apply", stops_half_way)
    async with runtime.database.transaction() as session:
        await session.execute(text("DELETE FROM crops WHERE id = :id"), {"id": UUID(last["id"])})
        await session.execute(text("DELETE FROM changes WHERE crop_id = :id"), {"id": UUID(last["id"])})
    try:
        assert await asyncio.to_thread(half_way.wait, 10)
        refused = await search(1)
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert "index is not loaded" in refused.json()["detail"]
        assert refused.headers["Retry-After"]
        not_ready: dict[str, Any] = (await client.get("/readyz")).json()
        (error,) = not_ready["errors"]
        assert error["field"] == "index"
        assert (await client.get("/index")).json()["doubt"].startswith("the change log went back from 8 to 7")
    finally:
        go_on.set()
    assert await runtime.follower.wait_for(7, 10)
    answer = (await search(1, k=50, group_by="crop")).json()
    assert {hit["crop"]["id"] for hit in answer["hits"]} == {item["id"] for item in kept}
    assert (answer["search"]["candidates"], answer["search"]["index_sequence"]) == (7, 7)
    behind = await search(1, min_sequence=8)
    assert (behind.status_code, behind.json()["code"]) == (409, "index_behind")
