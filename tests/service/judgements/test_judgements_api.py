"""Judgements over HTTP."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select
from support.vehicles import Vehicles, said_of

from service.access import SCOPES, Caller
from service.database.tables import AuditEntry
from service.errors import ForbiddenError, NotFoundError
from service.judgements.schemas import NewJudgement
from service.judgements.service import judge, take_back
from service.runtime import Runtime

Crops = Callable[..., Awaitable[list[str]]]
Judge = Callable[..., Awaitable[httpx.Response]]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def say(shared_client: httpx.AsyncClient, collection: str) -> Judge:
    """Judges a hit of the collection."""

    async def said(crop_id: str, query_crop_id: str | None = None, **fields: Any) -> httpx.Response:
        query = {} if query_crop_id is None else {"query_crop_id": query_crop_id}
        body = {"collection": collection, "crop_id": crop_id, **query, **fields}
        return await shared_client.post("/judgements", json=body)

    return said


@pytest.fixture
def found(shared_client: httpx.AsyncClient, collection: str) -> Callable[..., Awaitable[dict[str, float]]]:
    """Searches by crops; the scores of the crops that are answered."""

    async def search(*crop_ids: str, **fields: Any) -> dict[str, float]:
        body = {
            "collection": collection,
            "crop_ids": list(crop_ids),
            "group_by": "crop",
            "exclude_same_camera": False,
            **fields,
        }
        answer = await shared_client.post("/search/crop", json=body)
        assert answer.status_code == 200, answer.text
        return {hit["crop"]["id"]: hit["score"] for hit in answer.json()["hits"]}

    return search


@pytest.fixture
def listed(shared_client: httpx.AsyncClient, collection: str) -> Callable[..., Awaitable[list[dict[str, Any]]]]:
    """A page of the collection's judgements."""

    async def judgements(**query: Any) -> list[dict[str, Any]]:
        answer = await shared_client.get("/judgements", params={"collection": collection, **query})
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    return judgements


class TestSaid:
    async def test_the_score_of_two_crops_is_that_of_the_search(
        self, *, say: Judge, crops: Crops, found: Any, runtime: Runtime, collection: str
    ) -> None:
        query, hit = await crops({}, {})
        scores = await found(query)
        answer = await say(hit, query, same=True)
        assert answer.status_code == 201
        body = answer.json()
        assert body["score"] == pytest.approx(scores[hit], abs=1e-6)
        told = {"collection": collection, "crop_id": hit, "query_crop_id": query, "vehicle_id": None, "same": True}
        assert body | told | {"model_id": runtime.embedder.model_id, "created_by": "anyone"} == body
        async with runtime.database.reading() as session:
            of_this = AuditEntry.collection == collection, AuditEntry.action == "create_judgement"
            (entry,) = await session.scalars(select(AuditEntry).where(*of_this))
        assert entry.filter == {"crop_id": hit, "query_crop_id": query, "same": True}
        assert list(map(str, entry.crop_ids)) == [hit, query]

    async def test_that_of_a_query_which_is_not_enrolled_is_sent(
        self, say: Judge, crops: Crops, runtime: Runtime
    ) -> None:
        (hit,) = await crops({})
        model_id = runtime.embedder.model_id
        answer = await say(hit, score=0.625, same=True, model_id=model_id)
        assert (answer.status_code, answer.json()["score"], answer.json()["model_id"]) == (201, 0.625, model_id)
        refused = await say(hit, score=0.625, same=True, model_id="another")
        assert (refused.status_code, refused.json()["code"]) == (409, "model_mismatch")

    @pytest.mark.parametrize(
        "fields",
        [
            {"same": True},
            {"same": True, "score": 1.5},
            {"same": True, "score": "NaN"},
            {"same": True, "score": 0.5, "query_crop_id": str(uuid4())},
            {"same": True, "model_id": "m", "query_crop_id": str(uuid4())},
            {"same": None, "score": 0.5},
            {"score": 0.5},
            {"same": True, "score": 0.5, "vehicle_id": "\u0000"},
            {"same": True, "score": 0.5, "pair": 1},
        ],
    )
    async def test_what_makes_no_sense_is_refused(self, say: Judge, fields: dict[str, Any]) -> None:
        assert (await say(str(uuid4()), **fields)).status_code == 422

    async def test_of_two_crops_of_the_collection(
        self, say: Judge, crops: Crops, enroll_shared: Callable[..., Awaitable[httpx.Response]]
    ) -> None:
        (own,) = await crops({})
        foreign = (await enroll_shared(9, collection="elsewhere")).json()["items"][0]["id"]
        assert (await say(own, own, same=True)).status_code == 422
        for crop_id, query in [(own, foreign), (foreign, own), (own, str(uuid4()))]:
            refused = await say(crop_id, query, same=False)
            assert refused.status_code == 404
            assert "holds no crop" in refused.json()["detail"]


class TestRejected:
    async def test_later_searches_by_the_query_leave_it_out_with_its_track(
        self, say: Judge, crops: Crops, found: Any
    ) -> None:
        query, hit, same_track, other = await crops({}, {"track_id": "7"}, {"track_id": "7"}, {})
        assert (await found(query)).keys() == {hit, same_track, other}
        await say(hit, query, same=False)
        assert (await found(query)).keys() == {other}
        assert (await found(query, exclude_rejected=False)).keys() == {hit, same_track, other}
        assert (await found(hit)).keys() == {other}
        assert (await found(other)).keys() == {query, hit, same_track}

    async def test_the_latest_word_on_a_pair_counts(
        self, *, say: Judge, crops: Crops, found: Any, shared_client: httpx.AsyncClient
    ) -> None:
        query, hit = await crops({}, {})
        await say(hit, query, same=False)
        yes = (await say(query, hit, same=True)).json()["id"]
        assert (await found(query)).keys() == {hit}
        no = (await say(hit, query, same=False)).json()["id"]
        assert (await found(query)).keys() == set()
        for judgement, left in ((no, {hit}), (yes, set())):
            assert (await shared_client.delete(f"/judgements/{judgement}")).status_code == 204
            assert (await found(query)).keys() == left

    async def test_for_a_vehicle_whichever_of_its_crops_is_the_query(
        self, *, say: Judge, crops: Crops, found: Any, vehicles: Vehicles
    ) -> None:
        one, two, hit, other = await crops({}, {}, {}, {})
        await vehicles.create(one, two, vehicle_id="taxi")
        assert (await say(hit, score=0.5, same=False, vehicle_id="taxi")).status_code == 201
        for query, left in ((one, {two, other}), (two, {one, other}), (other, {one, two, hit})):
            assert (await found(query)).keys() == left
        await vehicles.send("POST", "taxi/crops", {"crop_ids": [hit]})
        assert (await found(one)).keys() == {two, hit, other}

    async def test_what_is_confirmed_counts_more_than_any_word(
        self, *, say: Judge, crops: Crops, found: Any, vehicles: Vehicles
    ) -> None:
        query, hit = await crops({}, {})
        await say(hit, query, same=False)
        await vehicles.create(query, hit, vehicle_id="taxi")
        assert (await found(query)).keys() == {hit}

    async def test_words_on_a_vehicle_go_with_it(
        self, *, say: Judge, crops: Crops, found: Any, vehicles: Vehicles, shared_client: httpx.AsyncClient, listed: Any
    ) -> None:
        one, two, hit = await crops({}, {}, {})
        collection = (await say(hit, two, same=True)).json()["collection"]
        await vehicles.create(one, vehicle_id="a")
        await vehicles.create(two, vehicle_id="b")
        await say(hit, score=0.5, same=False, vehicle_id="b")
        merge = {"collection": collection, "into": "a", "from": ["b"]}
        assert (await shared_client.post("/vehicles/merge", json=merge)).status_code == 200
        assert (await found(one)).keys() == {two}
        assert [one["vehicle_id"] for one in await listed()] == ["a", None]
        await vehicles.send("DELETE", "a")
        assert [one["vehicle_id"] for one in await listed()] == [None, None]
        await vehicles.create(one, vehicle_id="a")
        assert (await found(one)).keys() == {two, hit}


class TestConfirmed:
    async def test_a_yes_to_a_vehicle_confirms_both_crops(
        self, *, say: Judge, crops: Crops, vehicles: Vehicles, shared_client: httpx.AsyncClient, found: Any
    ) -> None:
        query, hit, more, other = await crops({}, {"vehicle_id": "misread"}, {}, {})
        answer = await say(hit, query, same=True, vehicle_id="taxi")
        assert (answer.status_code, answer.json()["vehicle_id"]) == (201, "taxi")
        await say(more, score=0.9, same=True, vehicle_id="taxi")
        assert [await said_of(shared_client, crop) for crop in (query, hit, more, other)] == [
            ("taxi", True),
            ("taxi", True),
            ("taxi", True),
            (None, False),
        ]
        assert (await vehicles.get("taxi")).json()["crops"] == 3
        assert (await found(other, vehicle_ids=["taxi"])).keys() == {query, hit, more}

    async def test_a_yes_alone_confirms_nothing(
        self, say: Judge, crops: Crops, shared_client: httpx.AsyncClient
    ) -> None:
        query, hit = await crops({}, {})
        await say(hit, query, same=True)
        assert await said_of(shared_client, hit) == (None, False)

    async def test_what_contradicts_a_vehicle_is_a_conflict(
        self, *, say: Judge, crops: Crops, vehicles: Vehicles, listed: Any
    ) -> None:
        one, two, other, free = await crops({}, {}, {}, {})
        await vehicles.create(one, two, vehicle_id="a")
        await vehicles.create(other, vehicle_id="b")
        for refused, words in [
            (await say(one, two, same=False), "Crop"),
            (await say(one, score=0.1, same=False, vehicle_id="a"), "take it off"),
            (await say(one, free, same=False, vehicle_id="a"), "take it off"),
            (await say(one, other, same=True), "merge the two"),
            (await say(one, score=0.1, same=True, vehicle_id="b"), "is confirmed to be vehicle 'a'"),
            (await say(free, other, same=True, vehicle_id="a"), "is confirmed to be vehicle 'b'"),
        ]:
            assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
            assert words in refused.json()["detail"]
        assert await listed() == []
        for agreed in (
            await say(one, two, same=True),
            await say(one, other, same=False),
            await say(one, free, same=True),
            await say(one, score=0.1, same=False, vehicle_id="b"),
            await say(two, one, same=True, vehicle_id="a"),
        ):
            assert agreed.status_code == 201

    async def test_a_no_to_a_vehicle_that_is_not_there(self, say: Judge, crops: Crops) -> None:
        (one,) = await crops({"vehicle_id": "claimed"})
        assert (await say(one, score=0.1, same=False, vehicle_id="claimed")).status_code == 404

    async def test_confirming_takes_the_scope_of_vehicles(
        self, runtime: Runtime, crops: Crops, collection: str, shared_client: httpx.AsyncClient
    ) -> None:
        (one,) = await crops({})
        searcher = Caller(None, "searcher", frozenset({"search"}))
        word = {"collection": collection, "crop_id": UUID(one), "score": 0.5, "same": True}
        with pytest.raises(ForbiddenError, match="scope 'enroll'"):
            await judge(runtime, searcher, NewJudgement(**word, vehicle_id="taxi"))
        assert await said_of(shared_client, one) == (None, False)
        assert (await judge(runtime, searcher, NewJudgement(**word))).created_by == "searcher"


class TestListed:
    async def test_newest_first_page_by_page(
        self, *, say: Judge, crops: Crops, listed: Any, shared_client: httpx.AsyncClient, collection: str
    ) -> None:
        one, two, three = await crops({}, {}, {})
        words = [
            (await say(one, two, same=True)).json(),
            (await say(three, one, same=False)).json(),
            (await say(two, score=0.5, same=False)).json(),
        ]
        assert await listed() == words[::-1]
        assert await listed(crop_id=one) == words[1::-1]
        assert await listed(same=False) == words[:0:-1]
        first = (await shared_client.get("/judgements", params={"collection": collection, "limit": 2})).json()
        await say(one, score=0.1, same=True)
        assert first["next_cursor"] == words[1]["id"]
        assert await listed(cursor=first["next_cursor"]) == words[:1]

    async def test_they_go_with_their_crops(
        self, *, say: Judge, crops: Crops, listed: Any, shared_client: httpx.AsyncClient
    ) -> None:
        one, two, three = await crops({}, {}, {})
        await say(one, two, same=True)
        await say(two, three, same=True)
        left = (await say(three, score=0.5, same=True)).json()
        await shared_client.delete(f"/gallery/{two}")
        assert await listed() == [left]

    async def test_of_a_collection_that_is_there(self, shared_client: httpx.AsyncClient, collection: str) -> None:
        assert (await shared_client.get("/judgements", params={"collection": collection})).status_code == 404


class TestTakenBack:
    async def test_once(
        self, *, say: Judge, crops: Crops, listed: Any, shared_client: httpx.AsyncClient, runtime: Runtime
    ) -> None:
        (one,) = await crops({})
        word = (await say(one, score=0.5, same=True, vehicle_id="taxi")).json()
        stranger = Caller(None, "stranger", SCOPES, frozenset({"elsewhere"}))
        with pytest.raises(NotFoundError):
            await take_back(runtime, stranger, UUID(word["id"]))
        assert await listed() == [word]
        statuses = [(await shared_client.delete(f"/judgements/{word['id']}")).status_code for _ in range(2)]
        assert statuses == [204, 404]
        assert await listed() == []
        assert await said_of(shared_client, one) == ("taxi", True)
