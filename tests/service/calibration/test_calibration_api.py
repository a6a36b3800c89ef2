"""Calibration over HTTP, and what it makes of searches."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import httpx
import numpy as np
import pytest
import pytest_asyncio
from sqlalchemy import delete, select, update
from uuid_utils.compat import uuid7

from service.cameras.repository import CameraRepository
from service.collections.repository import CollectionRepository
from service.database.tables import AuditEntry, Calibration, Collection, Crop, Judgement
from service.gallery.records import NewCrop
from service.gallery.repository import GalleryRepository
from service.runtime import Runtime

pytestmark = pytest.mark.asyncio(loop_scope="module")

Calibrate = Callable[..., Awaitable[httpx.Response]]
Seen = dict[int, tuple[str, str]]
"""By vehicle the ids of its crops by the cameras a and b."""

VEHICLES = 40
PLAIN = {"false_match_rate": 0.01}


@pytest.fixture(scope="module")
def runtime(shared_client: httpx.AsyncClient) -> Runtime:
    return shared_client._transport.app.state.runtime


async def enrol(runtime: Runtime, collection: str, crops: list[dict[str, Any]]) -> list[str]:
    """Enrol embeddings without pictures; ids in order."""
    async with runtime.database.transaction() as session:
        owner = await CollectionRepository(session).ensure_collection(collection, runtime.embedder.model_id)
        await CameraRepository(session).ensure(owner.id, {crop["camera_id"] for crop in crops})
        rows = [
            NewCrop(
                id=uuid7(),
                collection_id=owner.id,
                attributes={},
                image_sha256=bytes(32),
                media_type="image/jpeg",
                width=64,
                height=48,
                model_id=runtime.embedder.model_id,
                has_image=False,
                **crop,
            )
            for crop in crops
        ]
        gallery = GalleryRepository(session)
        await gallery.add(rows)
        sequence = await gallery.log_changes(owner.id, [row.id for row in rows], deleted=False)
    runtime.follower.note_commit(sequence)
    return [str(row.id) for row in rows]


def looks(vehicle: int, camera: int) -> np.ndarray:
    """A unit vector near the vehicle's own, which is far from all others'."""
    own = np.random.default_rng(vehicle).standard_normal(64)
    vector = own / np.linalg.norm(own) + 0.07 * np.random.default_rng((vehicle, camera)).standard_normal(64)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


async def seen(runtime: Runtime, collection: str, vehicles: range, **fields: Any) -> Seen:
    crops = [
        {"camera_id": camera, "embedding": looks(vehicle, number), "vehicle_id": f"v{vehicle}", **fields}
        for vehicle in vehicles
        for number, camera in enumerate("ab")
    ]
    ids = iter(await enrol(runtime, collection, crops))
    return {vehicle: (next(ids), next(ids)) for vehicle in vehicles}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fleet(runtime: Runtime) -> Seen:
    """A collection of confirmed vehicles, one of them seen twice by the camera a."""
    crops = await seen(runtime, "fleet", range(VEHICLES), vehicle_confirmed=True)
    again = {"camera_id": "a", "embedding": looks(0, 2), "vehicle_id": "v0", "vehicle_confirmed": True}
    await enrol(runtime, "fleet", [again])
    return crops


@pytest_asyncio.fixture(loop_scope="module")
async def town(runtime: Runtime) -> tuple[str, Seen]:
    """Name and crops of a new collection, whose vehicles nobody confirmed."""
    name = f"town-{uuid4()}"
    return name, await seen(runtime, name, range(VEHICLES))


@pytest.fixture
def calibrate(shared_client: httpx.AsyncClient) -> Calibrate:
    async def post(collection: str, **body: Any) -> httpx.Response:
        return await shared_client.post(f"/collections/{collection}/calibration", json=body)

    return post


def labels(crops: Seen, strangers: int = 5) -> list[dict[str, Any]]:
    """All same pairs, and for each vehicle pairs with the next few."""
    same = [{"crop_id": a, "other_crop_id": b, "same": True} for a, b in crops.values()]
    numbers = list(crops)
    different = [
        {"crop_id": crops[number][0], "other_crop_id": crops[numbers[(place + step) % len(numbers)]][1], "same": False}
        for place, number in enumerate(numbers)
        for step in range(1, strangers + 1)
    ]
    return same + different


async def search(client: httpx.AsyncClient, collection: str, crop_id: str, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/search/crop", json={"collection": collection, "crop_ids": [crop_id], **fields})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


class TestLearning:
    async def test_from_pairs(
        self, calibrate: Calibrate, shared_client: httpx.AsyncClient, town: tuple[str, Seen]
    ) -> None:
        name, crops = town
        answer = await calibrate(name, pairs=labels(crops), **PLAIN)
        assert answer.status_code == 201, answer.text
        body = answer.json()
        assert (body["collection"], body["state"], body["model_id"][:5]) == (name, "valid", "tiny-")
        assert (body["same_pairs"], body["different_pairs"], body["vehicles"]) == (40, 200, 40)
        assert (body["false_match_rate"], body["false_non_match_rate"]) == (0.01, 0.05)
        assert 0.2 < body["possible_score"] <= body["match_score"] < 0.9
        assert body["measured"]["area_under_curve"] > 0.99
        assert [point["wanted"] for point in body["measured"]["roc"]] == [0.1, 0.01]
        assert (await shared_client.get(f"/collections/{name}/calibration")).json() == body

    async def test_the_scores_are_cosines_of_the_stored_vectors(
        self, calibrate: Calibrate, town: tuple[str, Seen]
    ) -> None:
        name, crops = town
        same = [float(looks(vehicle, 0) @ looks(vehicle, 1)) for vehicle in crops]
        body = (await calibrate(name, pairs=labels(crops), false_non_match_rate=0.4, **PLAIN)).json()
        wanted = sorted(same)[16]  # 40 % of 40 stay below
        assert body["possible_score"] == pytest.approx(min(wanted, body["match_score"]), abs=1e-3)

    async def test_from_confirmed_vehicles(self, calibrate: Calibrate, fleet: Seen) -> None:
        body = (await calibrate("fleet", from_vehicles=True)).json()
        # every pair of crops by two cameras, each once
        assert (body["same_pairs"], body["vehicles"]) == (VEHICLES + 1, VEHICLES)
        assert body["different_pairs"] == (VEHICLES + 1) * (VEHICLES - 1)
        again = (await calibrate("fleet", from_vehicles=True)).json()
        assert again | {"created_at": ""} == body | {"created_at": ""}

    async def test_a_claimed_vehicle_is_not_learnt_from(self, calibrate: Calibrate, town: tuple[str, Seen]) -> None:
        answer = await calibrate(town[0], from_vehicles=True)
        assert answer.status_code == 422
        assert "There are 0 pairs of one vehicle" in answer.json()["detail"]

    async def test_from_what_was_judged_to_be_the_same(
        self, calibrate: Calibrate, runtime: Runtime, town: tuple[str, Seen]
    ) -> None:
        name, crops = town
        async with runtime.database.transaction() as session:
            owner = await session.scalar(select(Collection.id).where(Collection.name == name))
            common = {"collection_id": owner, "model_id": runtime.embedder.model_id, "score": 0.9}
            pairs = [(UUID(a), UUID(b)) for a, b in crops.values()]
            words = [
                # 0 to 29 the same, 29 no longer by the latest word, given the other way round
                *({"query_crop_id": a, "crop_id": b, "same": True} for a, b in pairs[:30]),
                {"query_crop_id": pairs[29][1], "crop_id": pairs[29][0], "same": False},
                # of queries that are not enrolled: one counts, one is of another model, one says no
                {"crop_id": pairs[30][0], "same": True},
                {"crop_id": pairs[31][0], "same": True, "model_id": "another"},
                {"crop_id": pairs[32][0], "same": False},
            ]
            session.add_all(Judgement(id=uuid7(), **common | word) for word in words)
        strangers = [label for label in labels(crops) if not label["same"]]
        body = (await calibrate(name, pairs=strangers, from_vehicles=True, **PLAIN)).json()
        assert (body["same_pairs"], body["different_pairs"]) == (30, 200)

    async def test_the_requests_labels_come_before_what_others_confirmed(
        self, calibrate: Calibrate, fleet: Seen
    ) -> None:
        a, b = fleet[0]
        wrong = [{"crop_id": b, "other_crop_id": a, "same": False}]
        body = (await calibrate("fleet", pairs=wrong, from_vehicles=True, false_match_rate=0.01)).json()
        assert (body["same_pairs"], body["different_pairs"]) == (VEHICLES, (VEHICLES + 1) * (VEHICLES - 1) + 1)

    async def test_a_pair_given_twice_counts_once(self, calibrate: Calibrate, town: tuple[str, Seen]) -> None:
        name, crops = town
        twice = [
            {"crop_id": one["other_crop_id"], "other_crop_id": one["crop_id"], "same": one["same"]}
            for one in labels(crops)
        ]
        body = (await calibrate(name, pairs=labels(crops) + twice, **PLAIN)).json()
        assert (body["same_pairs"], body["different_pairs"]) == (40, 200)

    async def test_is_audited_without_the_pairs_themselves(
        self, calibrate: Calibrate, runtime: Runtime, town: tuple[str, Seen]
    ) -> None:
        name, crops = town
        await calibrate(name, pairs=labels(crops), **PLAIN)
        async with runtime.database.reading() as session:
            entry = (await session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1))).one()
        assert (entry.action, entry.collection) == ("create_calibration", name)
        assert entry.filter == {
            "pairs": 240,
            "from_vehicles": False,
            "false_match_rate": 0.01,
            "false_non_match_rate": 0.05,
        }


class TestRefusals:
    async def test_nothing_to_learn_from(self, calibrate: Calibrate, fleet: Seen) -> None:
        answer = await calibrate("fleet")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_value")

    async def test_labels_that_are_swapped_leave_what_was_learnt(
        self, calibrate: Calibrate, shared_client: httpx.AsyncClient, town: tuple[str, Seen]
    ) -> None:
        name, crops = town
        before = (await calibrate(name, pairs=labels(crops), **PLAIN)).json()
        two_of_them = [(crops[number][0], crops[number + 1][1], True) for number in range(0, VEHICLES, 2)]
        one_of_them = [(a, b, False) for a, b in crops.values()]
        swapped = [
            {"crop_id": one, "other_crop_id": other, "same": same} for one, other, same in two_of_them + one_of_them
        ]
        answer = await calibrate(name, pairs=swapped, false_match_rate=0.1)
        assert answer.status_code == 422
        assert "swapped" in answer.json()["detail"]
        assert (await shared_client.get(f"/collections/{name}/calibration")).json() == before

    async def test_crops_of_another_collection_do_not_exist(
        self, calibrate: Calibrate, fleet: Seen, town: tuple[str, Seen]
    ) -> None:
        name, crops = town
        foreign, nothing = fleet[0][0], str(uuid4())
        details = []
        for crop_id in (foreign, nothing):
            pair = {"crop_id": crops[0][0], "other_crop_id": crop_id, "same": True}
            answer = await calibrate(name, pairs=[*labels(crops), pair], **PLAIN)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
            details.append(answer.json()["detail"].replace(crop_id, ""))
        assert details[0] == details[1]

    async def test_an_unknown_collection(self, calibrate: Calibrate, shared_client: httpx.AsyncClient) -> None:
        for answer in (
            await calibrate("nowhere", from_vehicles=True),
            await shared_client.get("/collections/nowhere/calibration"),
            await shared_client.delete("/collections/nowhere/calibration"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

    @pytest.mark.parametrize(
        "body",
        [
            {"pairs": [{"crop_id": str(UUID(int=1)), "other_crop_id": str(UUID(int=1)), "same": True}]},
            {
                "pairs": [
                    {"crop_id": str(UUID(int=1)), "other_crop_id": str(UUID(int=2)), "same": True},
                    {"crop_id": str(UUID(int=2)), "other_crop_id": str(UUID(int=1)), "same": False},
                ]
            },
            {"pairs": [{"crop_id": "x", "other_crop_id": "y", "same": True}]},
            {"pairs": 10**400},
            {"from_vehicles": True, "false_match_rate": 0},
            {"from_vehicles": True, "false_match_rate": 0.2},
            {"from_vehicles": True, "false_non_match_rate": 10**400},
            {"from_vehicles": True, "threshold": 0.5},
        ],
    )
    async def test_values_that_make_no_sense(self, calibrate: Calibrate, fleet: Seen, body: dict[str, Any]) -> None:
        answer = await calibrate("fleet", **body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_value")

    async def test_a_collection_of_another_model(
        self, calibrate: Calibrate, runtime: Runtime, town: tuple[str, Seen]
    ) -> None:
        async with runtime.database.transaction() as session:
            await session.execute(update(Collection).where(Collection.name == town[0]).values(model_id="another"))
        answer = await calibrate(town[0], pairs=labels(town[1]), **PLAIN)
        assert (answer.status_code, answer.json()["code"]) == (409, "model_mismatch")

    async def test_a_collection_that_is_gone_when_all_is_learnt(
        self, calibrate: Calibrate, runtime: Runtime, town: tuple[str, Seen], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        name, crops = town
        loop = asyncio.get_running_loop()

        async def remove() -> None:
            async with runtime.database.transaction() as session:
                owner = (await session.scalars(select(Collection.id).where(Collection.name == name))).one()
                await session.execute(delete(Crop).where(Crop.collection_id == owner))
                await session.execute(delete(Collection).where(Collection.id == owner))

        def slow(pairs: Any, wish: Any) -> Any:
            asyncio.run_coroutine_threadsafe(remove(), loop).result(10)
            return learn(pairs, wish)

        from service.calibration.learning import learn

        monkeypatch.setattr("service.calibration.service.learn", slow)
        answer = await calibrate(name, pairs=labels(crops), **PLAIN)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


class TestSearches:
    async def test_a_vehicle_that_is_there_is_a_match(
        self, calibrate: Calibrate, shared_client: httpx.AsyncClient, town: tuple[str, Seen]
    ) -> None:
        name, crops = town
        learnt = (await calibrate(name, pairs=labels(crops), **PLAIN)).json()
        body = await search(shared_client, name, crops[3][0])
        best, *others = body["hits"]
        assert (best["crop"]["id"], best["decision"], body["decision"]) == (crops[3][1], "match", "match")
        assert body["explanation"].startswith("Match: the best of 40 crops compared scores ")
        assert {hit["decision"] for hit in others} <= {"possible", "none"}
        probabilities = [hit["probability"] for hit in body["hits"]]
        assert probabilities == sorted(probabilities, reverse=True)
        assert probabilities[0] > 0.5 > probabilities[1]
        assert body["calibration"] == {
            "state": "valid",
            "match_score": learnt["match_score"],
            "possible_score": learnt["possible_score"],
            "false_match_rate": 0.01,
            "expected_false_matches": pytest.approx(40 * max(0.01, learnt["measured"]["match_false_match_rate"])),
        }

    async def test_a_vehicle_that_is_not_there_is_no_match(
        self, calibrate: Calibrate, runtime: Runtime, shared_client: httpx.AsyncClient, town: tuple[str, Seen]
    ) -> None:
        name, crops = town
        await calibrate(name, pairs=labels(crops), **PLAIN)
        unlike_all = -sum(looks(vehicle, camera) for vehicle in crops for camera in (0, 1))
        unlike_all /= np.linalg.norm(unlike_all)
        (stranger,) = await enrol(runtime, name, [{"camera_id": "a", "embedding": unlike_all}])
        body = await search(shared_client, name, stranger)
        assert body["decision"] == "none"
        assert body["explanation"].startswith("No match: the best of 40 crops compared scores ")
        assert len(body["hits"]) == 20

    async def test_the_more_are_compared_the_less_a_score_proves(
        self, calibrate: Calibrate, shared_client: httpx.AsyncClient, town: tuple[str, Seen]
    ) -> None:
        name, crops = town
        await calibrate(name, pairs=labels(crops), **PLAIN)
        everywhere = await search(shared_client, name, crops[3][0])
        few = await search(shared_client, name, crops[3][0], vehicle_ids=["v3", "v4"])
        assert everywhere["hits"][0]["score"] == few["hits"][0]["score"]
        assert everywhere["hits"][0]["probability"] < few["hits"][0]["probability"]
        assert everywhere["calibration"]["expected_false_matches"] > few["calibration"]["expected_false_matches"]

    async def test_the_answers_decision_is_that_of_the_highest_score_however_it_is_ordered(
        self, calibrate: Calibrate, shared_client: httpx.AsyncClient, town: tuple[str, Seen]
    ) -> None:
        name, crops = town
        await calibrate(name, pairs=labels(crops), **PLAIN)
        body = await search(shared_client, name, crops[3][0], rerank="k_reciprocal", k=40)
        best = max(body["hits"], key=lambda hit: hit["score"])
        assert body["decision"] == best["decision"] == "match"

    async def test_a_lowest_score_that_hides_what_is_possible(
        self, calibrate: Calibrate, shared_client: httpx.AsyncClient, town: tuple[str, Seen]
    ) -> None:
        name, crops = town
        await calibrate(name, pairs=labels(crops), **PLAIN)
        body = await search(shared_client, name, crops[3][0], min_score=0.9999)
        assert (body["hits"], body["decision"]) == ([], None)
        assert body["explanation"].startswith("No decision: no crop reaches the min_score")

    async def test_without_calibration_there_is_no_decision(
        self, shared_client: httpx.AsyncClient, town: tuple[str, Seen]
    ) -> None:
        name, crops = town
        body = await search(shared_client, name, crops[3][0])
        assert (body["decision"], body["calibration"]["state"]) == (None, "none")
        assert body["explanation"] == "No decision: the scores of this collection are not calibrated."
        assert {(hit["decision"], hit["probability"]) for hit in body["hits"]} == {(None, None)}
        assert body["calibration"]["match_score"] is None

    async def test_calibrated_for_another_model_is_stale(
        self, calibrate: Calibrate, runtime: Runtime, shared_client: httpx.AsyncClient, town: tuple[str, Seen]
    ) -> None:
        name, crops = town
        await calibrate(name, pairs=labels(crops), **PLAIN)
        async with runtime.database.transaction() as session:
            await session.execute(update(Calibration).values(model_id="another").where(_of(name)))
        body = await search(shared_client, name, crops[3][0])
        assert (body["decision"], body["calibration"]["state"]) == (None, "stale")
        assert "another model" in body["explanation"]
        assert {hit["decision"] for hit in body["hits"]} == {None}
        shown = (await shared_client.get(f"/collections/{name}/calibration")).json()
        assert (shown["state"], shown["model_id"]) == ("stale", "another")
        assert (await calibrate(name, pairs=labels(crops), **PLAIN)).json()["state"] == "valid"
        assert (await search(shared_client, name, crops[3][0]))["decision"] == "match"

    async def test_forgotten(
        self, calibrate: Calibrate, shared_client: httpx.AsyncClient, town: tuple[str, Seen]
    ) -> None:
        name, crops = town
        await calibrate(name, pairs=labels(crops), **PLAIN)
        assert (await shared_client.delete(f"/collections/{name}/calibration")).status_code == 204
        assert (await search(shared_client, name, crops[3][0]))["calibration"]["state"] == "none"
        for gone in (
            await shared_client.get(f"/collections/{name}/calibration"),
            await shared_client.delete(f"/collections/{name}/calibration"),
        ):
            assert (gone.status_code, gone.json()["code"]) == (404, "not_found")

    async def test_nothing_of_another_collections_calibration(
        self, calibrate: Calibrate, shared_client: httpx.AsyncClient, fleet: Seen, town: tuple[str, Seen]
    ) -> None:
        await calibrate("fleet", from_vehicles=True)
        assert (await search(shared_client, town[0], town[1][3][0]))["calibration"]["state"] == "none"


def _of(name: str) -> Any:
    return Calibration.collection_id == select(Collection.id).where(Collection.name == name).scalar_subquery()
