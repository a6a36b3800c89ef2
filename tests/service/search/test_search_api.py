"""POST /search over HTTP."""

import io
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import numpy as np
import pytest
import pytest_asyncio
from PIL import Image
from sqlalchemy import select

from index.contract import Filter, Hits
from service.collections.repository import CollectionRepository
from service.database.tables import AuditEntry
from service.embedding import Lane
from service.gallery.repository import GalleryRepository
from service.runtime import Runtime

pytestmark = pytest.mark.asyncio(loop_scope="module")

Post = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture(scope="module")
def runtime(shared_client: httpx.AsyncClient) -> Runtime:
    return shared_client._transport.app.state.runtime


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def city(enroll_shared: Post) -> dict[str, str]:
    """A collection of six crops, by name: their ids."""
    items: dict[str, dict[str, Any]] = {
        "a1": {"camera_id": "a", "captured_at": "2026-01-01T10:00:00Z", "track_id": "1", "vehicle_id": "v"},
        "a2": {"camera_id": "a", "captured_at": "2026-01-01T10:00:05Z", "track_id": "1", "vehicle_id": "v"},
        "a3": {"camera_id": "a", "captured_at": "2026-01-01T11:00:00Z", "track_id": "2", "session_id": "s"},
        "b1": {"camera_id": "b", "captured_at": "2026-01-01T12:00:00Z", "track_id": "1", "vehicle_id": "v"},
        "b2": {"camera_id": "b", "vehicle_id": "w", "attributes": {"colour": "red", "axles": 2}},
        "c1": {"camera_id": "c", "attributes": {"colour": "red", "axles": 3}},
    }
    answer = await enroll_shared(*range(100, 106), items=list(items.values()), collection="city")
    assert answer.status_code == 201, answer.text
    return dict(zip(items, (item["id"] for item in answer.json()["items"]), strict=True))


async def found(search: Post, city: dict[str, str], *pictures: int | bytes, **fields: object) -> set[str]:
    answer = await search(*(pictures or (100,)), collection="city", group_by="crop", **fields)
    assert answer.status_code == 200, answer.text
    names = {crop_id: name for name, crop_id in city.items()}
    return {names[hit["crop"]["id"]] for hit in answer.json()["hits"]}


def grain(width: int, height: int) -> bytes:
    """A picture that is sharp all over."""
    buffer = io.BytesIO()
    pixels = np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


class TestAnswer:
    async def test_is_as_the_contract_says(self, search_shared: Post, city: dict[str, str]) -> None:
        answer = (await search_shared(100, collection="city", k=2)).json()
        first = answer["hits"][0]
        assert set(answer) == {"hits", "decision", "explanation", "calibration", "query", "search"}
        assert first["rank"] == 1
        assert first["score"] == pytest.approx(1, abs=1e-3)
        assert first["crop"]["id"] == city["a1"]
        assert first["crop"]["collection"] == "city"
        assert first["matched_crops"] == 2
        assert first["image_url"] == f"/gallery/{city['a1']}/image"
        assert first["track"] == {
            "camera_id": "a",
            "session_id": None,
            "track_id": "1",
            "first_captured_at": "2026-01-01T10:00:00Z",
            "last_captured_at": "2026-01-01T10:00:05Z",
        }
        (quality,) = answer["query"]["quality"]
        assert (quality["width"], quality["height"], quality["aspect"]) == (96, 64, 1.5)
        assert answer["query"]["model_id"].startswith("tiny-")
        search = answer["search"]
        took = search.pop("took_ms")
        assert set(took) == {"decode", "embed", "search", "total"}
        assert sum(took.values()) - took["total"] == pytest.approx(took["total"], abs=0.1)
        assert search.pop("index_sequence") >= 6
        assert search == {"mode": "exact", "candidates": 6, "returned": 2, "exhausted": False, "reranked": 0}

    async def test_says_what_is_wrong_with_which_query_image(self, search_shared: Post, city: dict[str, str]) -> None:
        answer = await search_shared(grain(96, 64), grain(20, 90), collection="city")
        good, bad = answer.json()["query"]["quality"]
        assert good["problems"] == []
        assert [problem["code"] for problem in bad["problems"]] == ["too_small", "too_narrow"]
        assert bad["problems"][0] == {
            "code": "too_small",
            "detail": "The width in pixels is 20, below the limit of 24.",
            "measured": 20,
            "limit": 24,
        }

    async def test_the_score_is_the_cosine_of_the_mean_of_the_query(
        self, search_shared: Post, runtime: Runtime, make_jpeg: Callable[..., bytes], city: dict[str, str]
    ) -> None:
        def embedding(seed: int) -> Any:
            pixels = runtime.embedder.prepare(Image.open(io.BytesIO(make_jpeg(seed))))
            return runtime.embedder.embed(pixels[None])[0].astype(np.float64)

        mean = embedding(100) + embedding(200) + embedding(201)
        mean /= np.linalg.norm(mean)
        hits = (await search_shared(100, 200, 201, collection="city", group_by="crop")).json()["hits"]
        scores = {hit["crop"]["id"]: hit["score"] for hit in hits}
        for number, name in enumerate(city):
            assert scores[city[name]] == pytest.approx(mean @ embedding(100 + number), abs=2e-3)
        assert [hit["score"] for hit in hits] == sorted(scores.values(), reverse=True)
        assert [hit["rank"] for hit in hits] == [1, 2, 3, 4, 5, 6]

    async def test_nothing_found_is_said_plainly(self, search_shared: Post, city: dict[str, str]) -> None:
        answer = await search_shared(100, collection="city", camera_ids="nowhere")
        assert answer.status_code == 200
        body = answer.json()
        assert body["hits"] == []
        assert (body["search"]["candidates"], body["search"]["exhausted"], body["search"]["returned"]) == (0, True, 0)
        body = (await search_shared(999, collection="city", min_score=0.9999)).json()
        assert (body["hits"], body["search"]["candidates"], body["search"]["exhausted"]) == ([], 6, True)

    async def test_unknown_collection(self, search_shared: Post) -> None:
        answer = await search_shared(100, collection="nowhere")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

    async def test_seventeen_images_are_too_many(self, search_shared: Post, city: dict[str, str]) -> None:
        assert (await search_shared(*range(16), collection="city")).status_code == 200
        assert (await search_shared(*range(17), collection="city")).status_code == 422


class TestConditions:
    @pytest.mark.parametrize(
        ("fields", "names"),
        [
            ({}, {"a1", "a2", "a3", "b1", "b2", "c1"}),
            ({"camera_ids": ["a", "c"]}, {"a1", "a2", "a3", "c1"}),
            ({"exclude_camera_ids": ["a", "c"]}, {"b1", "b2"}),
            ({"camera_id": "a"}, {"b1", "b2", "c1"}),
            ({"camera_id": "a", "exclude_same_camera": "true"}, {"b1", "b2", "c1"}),
            ({"camera_id": "a", "exclude_same_camera": "false"}, {"a1", "a2", "a3", "b1", "b2", "c1"}),
            ({"camera_id": "a", "exclude_camera_ids": "b"}, {"c1"}),
            ({"camera_id": "a", "camera_ids": "a"}, set()),
            ({"exclude_same_camera": "false"}, {"a1", "a2", "a3", "b1", "b2", "c1"}),
            ({"from": "2026-01-01T10:00:05Z", "to": "2026-01-01T12:00:00Z"}, {"a2", "a3"}),
            ({"from": "2026-01-01T12:00:00+01:00"}, {"a3", "b1"}),
            ({"vehicle_ids": ["v", "x"]}, {"a1", "a2", "b1"}),
            ({"attributes": '{"colour": "red"}'}, {"b2", "c1"}),
            ({"attributes": '{"colour": "red", "axles": 2.0}'}, {"b2"}),
            ({"k": "1"}, {"a1"}),
        ],
    )
    async def test_each(
        self, search_shared: Post, city: dict[str, str], fields: dict[str, Any], names: set[str]
    ) -> None:
        assert await found(search_shared, city, **fields) == names

    async def test_min_score(self, search_shared: Post, city: dict[str, str]) -> None:
        assert await found(search_shared, city, min_score="0.999") == {"a1"}

    @pytest.mark.parametrize(("group_by", "hits"), [("crop", 6), ("track", 5), ("vehicle", 4)])
    async def test_grouping(self, search_shared: Post, city: dict[str, str], group_by: str, hits: int) -> None:
        body = (await search_shared(100, collection="city", group_by=group_by)).json()
        assert len(body["hits"]) == hits
        assert sum(hit["matched_crops"] for hit in body["hits"]) == 6

    @pytest.mark.parametrize("rerank", ["k_reciprocal", "query_expansion"])
    async def test_reranking_keeps_the_score(self, search_shared: Post, city: dict[str, str], rerank: str) -> None:
        plain = (await search_shared(100, collection="city", group_by="crop")).json()
        body = (await search_shared(100, collection="city", group_by="crop", rerank=rerank)).json()
        assert body["search"]["reranked"] == 6
        assert {hit["crop"]["id"]: hit["score"] for hit in body["hits"]} == {
            hit["crop"]["id"]: hit["score"] for hit in plain["hits"]
        }
        reranked = [hit["rerank_score"] for hit in body["hits"]]
        assert reranked == sorted(reranked, reverse=True)
        assert all(hit["rerank_score"] is None for hit in plain["hits"])

    async def test_camera_normalization_is_counted(self, search_shared: Post, city: dict[str, str]) -> None:
        body = (await search_shared(100, collection="city", camera_normalization="true")).json()
        assert body["search"]["reranked"] == 6


class TestTruth:
    async def test_reads_its_own_writes(self, enroll_shared: Post, search_shared: Post) -> None:
        for seed in range(300, 310):
            (item,) = (await enroll_shared(seed, collection="own")).json()["items"]
            best = (await search_shared(seed, collection="own", k=1)).json()["hits"][0]
            assert best["crop"]["id"] == item["id"]

    async def test_never_answers_from_before_its_own_writes(
        self, enroll_shared: Post, search_shared: Post, runtime: Runtime
    ) -> None:
        await enroll_shared(500, collection="behind")
        await runtime.follower.stop()
        try:
            await enroll_shared(501, collection="behind")
            answer = await search_shared(501, collection="behind")
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert "index" in answer.json()["detail"]
            assert answer.headers["Retry-After"]
            asked = await search_shared(501, collection="behind", min_sequence=runtime.follower.committed)
            assert (asked.status_code, asked.json()["code"]) == (409, "index_behind")
        finally:
            await runtime.follower.start()
        assert len((await search_shared(501, collection="behind")).json()["hits"]) == 2

    async def test_min_sequence_not_reached(self, search_shared: Post, runtime: Runtime, city: dict[str, str]) -> None:
        await search_shared(100, collection="city")  # waits for all that was written
        reached = runtime.follower.sequence
        assert (await search_shared(100, collection="city", min_sequence=reached)).status_code == 200
        answer = await search_shared(100, collection="city", min_sequence=reached + 1)
        assert (answer.status_code, answer.json()["code"]) == (409, "index_behind")
        assert answer.headers["Retry-After"]

    async def test_what_is_gone_from_the_truth_gives_way_to_the_next(
        self, enroll_shared: Post, search_shared: Post, runtime: Runtime
    ) -> None:
        items = (await enroll_shared(400, 401, 402, collection="stale")).json()["items"]
        ids = [UUID(item["id"]) for item in items]
        await search_shared(400, collection="stale")
        # Behind the follower's back: no line in the change log, so the index goes on holding it.
        async with runtime.database.transaction() as session:
            await GalleryRepository(session).delete(ids[0])
        body = (await search_shared(400, collection="stale", k=2)).json()
        assert {hit["crop"]["id"] for hit in body["hits"]} == {str(ids[1]), str(ids[2])}
        assert body["search"]["returned"] == 2
        assert body["search"]["exhausted"]

    async def test_a_hit_that_the_truth_does_not_allow_is_not_shown(
        self, search_shared: Post, runtime: Runtime, city: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        index = runtime.follower.index
        allow = index.search

        def ignores_cameras(query: Any, k: int, where: Filter) -> Hits:
            return allow(query, k, Filter(collection=where.collection, exclude_ids=where.exclude_ids))

        monkeypatch.setattr(index, "search", ignores_cameras)
        assert await found(search_shared, city, camera_ids="b") == {"b1", "b2"}

    async def test_every_search_is_audited(self, search_shared: Post, runtime: Runtime, city: dict[str, str]) -> None:
        await search_shared(100, collection="city", purpose="case 12", camera_ids=["a", "b"], k=1)
        await search_shared(100, collection="city", camera_ids="nowhere")
        async with runtime.database.reading() as session:
            entries = (await session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(2))).all()
        empty, hit = entries
        assert (hit.action, hit.collection, hit.purpose) == ("search_by_image", "city", "case 12")
        assert hit.crop_ids == [UUID(city["a1"])]
        assert (hit.filter["camera_ids"], hit.filter["k"]) == (["a", "b"], 1)
        assert "purpose" not in hit.filter
        assert "images" not in hit.filter
        assert (empty.purpose, empty.crop_ids) == (None, [])

    async def test_another_model_is_refused(self, search_shared: Post, runtime: Runtime) -> None:
        async with runtime.database.transaction() as session:
            await CollectionRepository(session).ensure_collection("foreign", "another-model")
        answer = await search_shared(100, collection="foreign")
        assert (answer.status_code, answer.json()["code"]) == (409, "model_mismatch")

    async def test_a_full_search_lane(self, search_shared: Post, runtime: Runtime, city: dict[str, str]) -> None:
        with runtime.queue.admit(Lane.SEARCH, runtime.settings.queue_crops):
            answer = await search_shared(100, collection="city")
        assert answer.status_code == 429
        with runtime.queue.admit(Lane.ENROLMENT, runtime.settings.queue_crops):
            assert (await search_shared(100, collection="city")).status_code == 200


async def test_restart_rebuilds_the_same_answers(
    serve: Any, search_shared: Post, runtime: Runtime, city: dict[str, str], make_jpeg: Callable[..., bytes]
) -> None:
    def comparable(answer: httpx.Response) -> Any:
        body = answer.json()
        body["search"].pop("took_ms")
        return body

    before = comparable(await search_shared(100, collection="city"))
    async with serve(runtime.settings) as restarted:
        files = [("images", ("query", make_jpeg(100)))]
        after = comparable(await restarted.post("/search", files=files, data={"collection": "city"}))
    assert after == before
