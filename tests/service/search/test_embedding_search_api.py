"""POST /search/embedding over HTTP."""

import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import numpy as np
import pytest
import pytest_asyncio
from sqlalchemy import select, update

from service.database.tables import AuditEntry, Collection
from service.runtime import Runtime
from service.search.repository import EmbeddingRepository

pytestmark = pytest.mark.asyncio(loop_scope="module")

Post = Callable[..., Awaitable[httpx.Response]]
Search = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture(scope="module")
def runtime(shared_client: httpx.AsyncClient) -> Runtime:
    return shared_client._transport.app.state.runtime


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crops(enroll_shared: Post, runtime: Runtime) -> dict[str, list[float]]:
    """Ids of three crops of the collection "port", each of a camera of its own, with their embeddings."""
    items = [{"camera_id": camera, "vehicle_id": camera} for camera in "abc"]
    answer = await enroll_shared(100, 101, 102, items=items, collection="port")
    ids = [item["id"] for item in answer.json()["items"]]
    async with runtime.database.reading() as session:
        collection = (await session.scalars(select(Collection).where(Collection.name == "port"))).one()
        stored = await EmbeddingRepository(session).of_crops(collection.id, runtime.embedder.model_id, map(UUID, ids))
    return {crop_id: stored[UUID(crop_id)].tolist() for crop_id in ids}


@pytest.fixture
def ask(shared_client: httpx.AsyncClient, runtime: Runtime, crops: dict[str, list[float]]) -> Search:
    """Searches the port with the first crop's embedding, unless another is given."""

    async def search(**fields: Any) -> httpx.Response:
        body = {
            "collection": "port",
            "vector": next(iter(crops.values())),
            "model_id": runtime.embedder.model_id,
            "group_by": "crop",
        }
        content = json.dumps(body | fields)
        return await shared_client.post(
            "/search/embedding", content=content, headers={"Content-Type": "application/json"}
        )

    return search


async def ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [hit["crop"]["id"] for hit in answer.json()["hits"]]


async def test_scores_are_cosines(ask: Search, crops: dict[str, list[float]]) -> None:
    body = (await ask()).json()
    query, *_ = vectors = np.array(list(crops.values()))
    scores = {hit["crop"]["id"]: hit["score"] for hit in body["hits"]}
    for crop_id, vector in zip(crops, vectors, strict=True):
        assert scores[crop_id] == pytest.approx(query @ vector, abs=4e-3)  # the index keeps 8 bits a number
    assert body["hits"][0]["crop"]["id"] == next(iter(crops))
    assert body["query"]["quality"] == []


async def test_a_vector_within_rounding_of_unit_length_is_taken_as_one(ask: Search, crops: dict[str, Any]) -> None:
    exact = (await ask()).json()["hits"]
    rounded = (await ask(vector=[number * 1.0009 for number in next(iter(crops.values()))])).json()["hits"]
    assert [hit["score"] for hit in rounded] == pytest.approx([hit["score"] for hit in exact], abs=1e-6)


async def test_conditions_hold_as_for_any_search(ask: Search, crops: dict[str, Any]) -> None:
    a, b, c = crops
    assert set(await ids(await ask())) == {a, b, c}
    assert set(await ids(await ask(camera_id="a"))) == {b, c}
    assert set(await ids(await ask(camera_id="a", exclude_same_camera=False))) == {a, b, c}
    assert await ids(await ask(camera_ids=["b"])) == [b]
    assert set(await ids(await ask(exclude_vehicle_ids=["b"]))) == {a, c}
    assert (await ask(rerank="k_reciprocal", camera_normalization=True)).json()["search"]["reranked"] == 3
    assert (await ask(k=1)).json()["search"]["exhausted"] is False


async def test_waits_for_the_sequence_asked_for(ask: Search, runtime: Runtime) -> None:
    answer = await ask(min_sequence=runtime.follower.sequence + 1)
    assert (answer.status_code, answer.json()["code"]) == (409, "index_behind")


class TestRefusals:
    async def test_a_vector_of_another_model(self, ask: Search) -> None:
        answer = await ask(model_id="starter-000000000000-00000000")
        assert (answer.status_code, answer.json()["code"]) == (409, "model_mismatch")

    async def test_a_collection_of_another_model(self, ask: Search, runtime: Runtime) -> None:
        async with runtime.database.transaction() as session:
            port = update(Collection).where(Collection.name == "port")
            await session.execute(port.values(model_id="another"))
        try:
            answer = await ask()
            assert (answer.status_code, answer.json()["code"]) == (409, "model_mismatch")
        finally:
            async with runtime.database.transaction() as session:
                await session.execute(port.values(model_id=runtime.embedder.model_id))

    async def test_an_unknown_collection(self, ask: Search) -> None:
        assert (await ask(collection="nowhere")).status_code == 404

    @pytest.mark.parametrize(
        ("vector", "words"),
        [
            ([1.0], "has 1 numbers, not 64"),
            ([1.0, *[0.0] * 64], "has 65 numbers, not 64"),
            ([0.0] * 64, "has length 0, not 1"),
            ([1.0, 0.1, *[0.0] * 62], "has length 1.00499, not 1"),
            ([1e300] * 64, "less than or equal to 1.001"),
            ([float("nan"), *[0.0] * 63], "finite"),
            ([float("inf"), *[0.0] * 63], "finite"),
            ([10**400, *[0.0] * 63], "number"),
            ([None, *[0.0] * 63], "number"),
            ([[1.0], *[0.0] * 63], "number"),
            ([], "at least 1"),
            ([0.0] * 8193, "at most 8192"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    async def test_a_vector_that_is_no_embedding(self, ask: Search, vector: list[Any], words: str) -> None:
        answer = await ask(vector=vector)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_value"), answer.text
        assert words in answer.json()["detail"]
        assert answer.json()["errors"][0]["field"].startswith("vector")

    async def test_a_camera_to_exclude_that_is_not_given(self, ask: Search) -> None:
        assert (await ask(exclude_same_camera=True)).json()["errors"][0]["field"] == "exclude_same_camera"


async def test_is_audited_without_the_vector(ask: Search, runtime: Runtime) -> None:
    await ask(purpose="case 12", k=2)
    async with runtime.database.reading() as session:
        entry = (await session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1))).one()
    assert (entry.action, entry.collection, entry.purpose) == ("search_by_embedding", "port", "case 12")
    assert "vector" not in entry.filter
    assert entry.filter["k"] == 2
    assert len(entry.crop_ids) == 2
