"""POST /search/crop over HTTP."""

import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import numpy as np
import pytest
import pytest_asyncio
from sqlalchemy import select, update

from index.contract import Filter, VectorIndex
from service.database.tables import AuditEntry, Collection, Crop
from service.runtime import Runtime
from service.search.ranking import Query, Ranking, rank
from service.search.repository import EmbeddingRepository

pytestmark = pytest.mark.asyncio(loop_scope="module")

Post = Callable[..., Awaitable[httpx.Response]]
Search = Callable[..., Awaitable[httpx.Response]]

JSON = {"Content-Type": "application/json"}
NOBODY = "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"
ITEMS: dict[str, dict[str, Any]] = {
    "a1": {"camera_id": "a", "track_id": "1", "captured_at": "2026-01-01T10:00:00Z"},
    "a2": {"camera_id": "a", "track_id": "1", "captured_at": "2026-01-01T10:00:05Z"},
    "a3": {"camera_id": "a", "track_id": "2", "vehicle_id": "v"},
    "b1": {"camera_id": "b", "track_id": "1", "vehicle_id": "v"},
    "b2": {"camera_id": "b", "track_id": "1"},
    "b3": {"camera_id": "b", "track_id": "1", "session_id": "monday"},
    "c1": {"camera_id": "c", "vehicle_id": "v"},
    "c2": {"camera_id": "c"},
}


@pytest.fixture(scope="module")
def runtime(shared_client: httpx.AsyncClient) -> Runtime:
    return shared_client._transport.app.state.runtime


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(enroll_shared: Post) -> dict[str, str]:
    """A collection of eight crops, by name: their ids."""
    answer = await enroll_shared(*range(100, 108), items=list(ITEMS.values()), collection="town")
    assert answer.status_code == 201, answer.text
    return dict(zip(ITEMS, (item["id"] for item in answer.json()["items"]), strict=True))


@pytest.fixture
def ask(shared_client: httpx.AsyncClient, town: dict[str, str]) -> Search:
    """Searches the town; crops are named as above."""

    async def search(
        *wanted: str, rejected: tuple[str, ...] = (), headers: dict[str, str] | None = None, **fields: Any
    ) -> httpx.Response:
        body = {
            "collection": "town",
            "group_by": "crop",
            "crop_ids": [town[name] for name in wanted],
            "not_crop_ids": [town[name] for name in rejected],
        }
        # as ASCII, so that half a surrogate gets there too
        content = json.dumps(body | fields)
        return await shared_client.post("/search/crop", content=content, headers=JSON | (headers or {}))

    return search


@pytest.fixture
def found(ask: Search, town: dict[str, str]) -> Callable[..., Awaitable[set[str]]]:
    """Names of the crops that a search of the town finds."""

    async def names(*wanted: str, **fields: Any) -> set[str]:
        answer = await ask(*wanted, **fields)
        assert answer.status_code == 200, answer.text
        ids = {crop_id: name for name, crop_id in town.items()}
        return {ids[hit["crop"]["id"]] for hit in answer.json()["hits"]}

    return names


class TestQuery:
    async def test_the_score_is_the_cosine_of_the_mean_of_the_stored(
        self, ask: Search, runtime: Runtime, town: dict[str, str]
    ) -> None:
        async with runtime.database.reading() as session:
            collection = (await session.scalars(select(Collection).where(Collection.name == "town"))).one()
            stored = await EmbeddingRepository(session).of_crops(
                collection.id, runtime.embedder.model_id, map(UUID, town.values())
            )
        mean = stored[UUID(town["a1"])].astype(np.float64) + stored[UUID(town["b1"])]
        mean /= np.linalg.norm(mean)
        body = (await ask("a1", "b1", exclude_same_track=False)).json()
        scores = {hit["crop"]["id"]: hit["score"] for hit in body["hits"]}
        assert scores.keys() == {town[name] for name in ("a2", "a3", "b2", "b3", "c1", "c2")}
        for crop_id, score in scores.items():
            assert score == pytest.approx(mean @ stored[UUID(crop_id)], abs=4e-3)  # the index keeps 8 bits a number

    async def test_is_the_same_search_as_by_the_picture(
        self, ask: Search, search_shared: Post, town: dict[str, str]
    ) -> None:
        by_crop = (await ask("a1")).json()
        by_image = (await search_shared(100, collection="town", group_by="crop", camera_id="a")).json()
        assert [hit["crop"] for hit in by_crop["hits"]] == [hit["crop"] for hit in by_image["hits"]]
        for crop, image in zip(by_crop["hits"], by_image["hits"], strict=True):
            assert crop["score"] == pytest.approx(image["score"], abs=1e-3)
        assert by_crop["query"] == {"model_id": by_image["query"]["model_id"], "quality": []}
        assert by_crop["search"]["took_ms"]["decode"] == 0

    @pytest.mark.parametrize("rerank", ["k_reciprocal", "query_expansion"])
    async def test_grouped_and_reranked_like_any_other(self, ask: Search, rerank: str) -> None:
        body = (await ask("c2", rerank=rerank, camera_normalization=True, group_by="track", k=3)).json()
        assert body["search"]["reranked"] == 6
        assert len(body["hits"]) == 3
        assert [hit["rerank_score"] for hit in body["hits"]] == sorted(
            (hit["rerank_score"] for hit in body["hits"]), reverse=True
        )

    async def test_normalised_by_the_camera_that_took_them_all(
        self, ask: Search, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cameras: list[str | None] = []

        def noting(index: VectorIndex, query: Query, where: Filter) -> Ranking:
            cameras.append(query.camera_id)
            return rank(index, query, where)

        monkeypatch.setattr("service.search.answering.rank", noting)
        await ask("a1", "a3")
        await ask("a1", "b1")
        assert cameras == ["a", None]


class TestLeavesOut:
    async def test_the_crops_their_camera_and_their_tracks(self, found: Callable[..., Awaitable[set[str]]]) -> None:
        assert await found("a1") == {"b1", "b2", "b3", "c1", "c2"}

    async def test_not_the_camera_where_that_is_not_wanted(self, found: Callable[..., Awaitable[set[str]]]) -> None:
        assert await found("a1", exclude_same_camera=False) == {"a3", "b1", "b2", "b3", "c1", "c2"}

    async def test_not_the_track_where_that_is_not_wanted(self, found: Callable[..., Awaitable[set[str]]]) -> None:
        found_all = await found("a1", exclude_same_camera=False, exclude_same_track=False)
        assert found_all == {"a2", "a3", "b1", "b2", "b3", "c1", "c2"}

    async def test_only_tracks_where_several_cameras_saw_the_vehicle(
        self, found: Callable[..., Awaitable[set[str]]]
    ) -> None:
        # b3 has b1's track id, in another session: another track.
        assert await found("a1", "b1") == {"a3", "b3", "c1", "c2"}

    async def test_all_of_several_cameras_on_demand(self, found: Callable[..., Awaitable[set[str]]]) -> None:
        assert await found("a1", "b1", exclude_same_camera=True) == {"c1", "c2"}

    async def test_conditions_of_the_request_hold_too(self, found: Callable[..., Awaitable[set[str]]]) -> None:
        assert await found("a1", exclude_camera_ids=["c"], exclude_vehicle_ids=["v"]) == {"b2", "b3"}
        assert await found("a1", tracks=[{"camera_id": "b", "track_id": "1"}]) == {"b1", "b2"}
        assert await found("c2", **{"from": "2026-01-01T10:00:05Z"}) == {"a2"}


class TestNotThisOne:
    async def test_the_rejected_and_its_track_are_left_out(self, found: Callable[..., Awaitable[set[str]]]) -> None:
        assert await found("a1", rejected=("b2",)) == {"b3", "c1", "c2"}
        assert await found("a1", rejected=("c2",)) == {"b1", "b2", "b3", "c1"}

    async def test_a_claimed_vehicle_is_not_evidence(self, found: Callable[..., Awaitable[set[str]]]) -> None:
        assert await found("a1", rejected=("c1",)) == {"b1", "b2", "b3", "c2"}

    async def test_the_vehicle_that_a_person_confirmed_is_left_out(
        self, found: Callable[..., Awaitable[set[str]]], runtime: Runtime, town: dict[str, str]
    ) -> None:
        confirmed = update(Crop).where(Crop.id.in_([town["c1"], town["b1"]]))
        async with runtime.database.transaction() as session:
            await session.execute(confirmed.values(vehicle_confirmed=True))
        try:
            assert await found("a1", rejected=("c1",)) == {"b2", "b3", "c2"}
            # The query is of the same vehicle: what is known of it does not count against it.
            assert await found("b1", rejected=("c1",), exclude_same_camera=False) == {"a1", "a2", "a3", "b3", "c2"}
        finally:
            async with runtime.database.transaction() as session:
                await session.execute(confirmed.values(vehicle_confirmed=False))

    async def test_the_scores_of_the_others_stay(self, ask: Search) -> None:
        def scores(body: dict[str, Any]) -> dict[str, float]:
            return {hit["crop"]["id"]: hit["score"] for hit in body["hits"]}

        all_of_them, fewer = scores((await ask("a1")).json()), scores((await ask("a1", rejected=("b2", "c1"))).json())
        assert fewer.items() < all_of_them.items()


class TestRefusals:
    @pytest.mark.parametrize("field", ["crop_ids", "not_crop_ids"])
    async def test_a_crop_that_does_not_exist(self, ask: Search, town: dict[str, str], field: str) -> None:
        answer = await ask("a1", **{field: [NOBODY]})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert answer.json()["detail"] == f"The collection 'town' holds no crop {NOBODY}; it may have been deleted."

    @pytest.mark.parametrize("field", ["crop_ids", "not_crop_ids"])
    async def test_a_crop_of_another_collection_is_as_if_it_did_not_exist(
        self, ask: Search, enroll_shared: Post, field: str
    ) -> None:
        foreign = (await enroll_shared(1, collection="village")).json()["items"][0]["id"]
        answer, nothing = await ask("a1", **{field: [foreign]}), await ask("a1", **{field: [NOBODY]})
        assert answer.status_code == 404
        assert answer.json()["detail"].replace(foreign, NOBODY) == nothing.json()["detail"]

    async def test_an_unknown_collection(self, ask: Search) -> None:
        assert (await ask("a1", collection="nowhere")).status_code == 404

    @pytest.mark.parametrize(
        "fields",
        [
            {"crop_ids": []},
            {"crop_ids": [NOBODY, NOBODY]},
            {"crop_ids": [NOBODY], "not_crop_ids": [NOBODY]},
            {"crop_ids": [str(UUID(int=number)) for number in range(17)]},
            {"crop_ids": ["a1"]},
            {"crop_ids": [None]},
            {"crop_ids": 10**400},
            {"camera_id": "a"},
            {"k": 10**30},
            {"purpose": "\x00"},
            {"purpose": "\ud800"},
            {"attributes": {"colour": {"deep": 1}}},
        ],
    )
    async def test_values_that_make_no_sense(self, ask: Search, fields: dict[str, Any]) -> None:
        answer = await ask("a1", **fields)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_value"), answer.text

    @pytest.mark.parametrize("body", [b"{", b"[" * 100_000, b'{"crop_ids": "\xff"}', b""])
    async def test_what_is_not_json(self, shared_client: httpx.AsyncClient, body: bytes) -> None:
        answer = await shared_client.post("/search/crop", content=body, headers=JSON)
        assert answer.status_code == (400 if body else 422), answer.text

    async def test_another_model(self, ask: Search, runtime: Runtime) -> None:
        async with runtime.database.transaction() as session:
            town = update(Collection).where(Collection.name == "town")
            await session.execute(town.values(model_id="another"))
        try:
            answer = await ask("a1")
            assert (answer.status_code, answer.json()["code"]) == (409, "model_mismatch")
        finally:
            async with runtime.database.transaction() as session:
                await session.execute(town.values(model_id=runtime.embedder.model_id))

    async def test_no_purpose_where_the_collection_asks_why(self, ask: Search, runtime: Runtime) -> None:
        town = update(Collection).where(Collection.name == "town")
        async with runtime.database.transaction() as session:
            await session.execute(town.values(require_purpose=True))
        try:
            answer = await ask("a1")
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "purpose")
            assert (await ask("a1", purpose="case 12")).status_code == 200
            assert (await ask("a1", headers={"X-Purpose": "case 13"})).status_code == 200
        finally:
            async with runtime.database.transaction() as session:
                await session.execute(town.values(require_purpose=False))


async def test_is_audited(ask: Search, runtime: Runtime, town: dict[str, str]) -> None:
    await ask("a1", rejected=("b2",), purpose="case 12", k=1)
    async with runtime.database.reading() as session:
        entry = (await session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1))).one()
    assert (entry.action, entry.collection, entry.purpose) == ("search_by_crop", "town", "case 12")
    assert (entry.filter["crop_ids"], entry.filter["not_crop_ids"]) == ([town["a1"]], [town["b2"]])
    assert len(entry.crop_ids) == 1
