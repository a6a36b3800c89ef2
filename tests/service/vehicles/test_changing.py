"""Confirming vehicles over HTTP, and correcting what was confirmed."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from support.vehicles import Vehicles, audited, said_of

from service.access import SCOPES, Caller
from service.errors import ForbiddenError, NotFoundError
from service.runtime import Runtime
from service.vehicles import changing
from service.vehicles.schemas import NewVehicle

Crops = Callable[..., Awaitable[list[str]]]
SAID = {"label": "Taxi 139", "notes": "Dented.\nLeft door.", "attributes": {"colour": "red", "doors": 5}}

pytestmark = pytest.mark.asyncio(loop_scope="module")


class TestCreated:
    async def test_crops_carry_it_and_searches_follow(
        self, shared_client: httpx.AsyncClient, vehicles: Vehicles, crops: Crops, collection: str
    ) -> None:
        one, two, other = await crops({"camera_id": "a"}, {"camera_id": "b"}, {"camera_id": "c"})
        answer = await vehicles.create(one, two, one, vehicle_id="taxi", **SAID)
        assert answer.status_code == 201
        assert answer.json()["changed_crops"] == 2
        vehicle = answer.json()["vehicle"]
        told = {"vehicle_id": "taxi", "collection": collection, "confirmed": True, "created_by": "anyone", **SAID}
        counted = {"crops": 2, "claimed_crops": 0, "cameras": 2}
        assert vehicle | told | counted == vehicle
        assert (await vehicles.get("taxi")).json() == vehicle
        assert await said_of(shared_client, one) == ("taxi", True)
        assert await said_of(shared_client, other) == (None, False)
        found = await shared_client.post(
            "/search/crop",
            json={
                "collection": collection,
                "crop_ids": [other],
                "vehicle_ids": ["taxi"],
                "min_sequence": answer.json()["sequence"],
            },
        )
        assert {hit["crop"]["id"] for hit in found.json()["hits"]} == {one, two}

    async def test_said_again_changes_nothing(self, vehicles: Vehicles, crops: Crops) -> None:
        one, two = await crops({}, {})
        first = await vehicles.create(one, two, vehicle_id="taxi", **SAID)
        again = await vehicles.create(two, one, vehicle_id="taxi", **SAID)
        assert again.status_code == 200
        assert again.json() == first.json() | {"changed_crops": 0}

    async def test_without_an_id_one_is_made_once(self, vehicles: Vehicles, crops: Crops) -> None:
        one, two, three = await crops({}, {}, {"vehicle_id": "claimed"})
        first = await vehicles.create(one, two)
        vehicle_id = first.json()["vehicle"]["vehicle_id"]
        again = await vehicles.create(two, one)
        assert (again.status_code, again.json()["vehicle"]["vehicle_id"]) == (200, vehicle_id)
        other = await vehicles.create(three)
        assert (other.status_code, other.json()["vehicle"]["claimed_crops"]) == (201, 0)
        assert other.json()["vehicle"]["vehicle_id"] not in (vehicle_id, "claimed")
        mixed = await vehicles.create(one, three)
        assert mixed.status_code == 409
        assert {error["vehicle_id"] for error in mixed.json()["errors"]} == {
            vehicle_id,
            other.json()["vehicle"]["vehicle_id"],
        }

    async def test_a_crop_of_another_vehicle_is_a_conflict_that_names_it(
        self, shared_client: httpx.AsyncClient, vehicles: Vehicles, crops: Crops
    ) -> None:
        one, two = await crops({}, {})
        await vehicles.create(one, vehicle_id="taxi")
        refused = await vehicles.create(two, one, vehicle_id="bus")
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
        assert f"Crop {one} is confirmed to be vehicle 'taxi'." in refused.json()["detail"]
        (error,) = refused.json()["errors"]
        assert (error["crop_id"], error["vehicle_id"]) == (one, "taxi")
        assert await said_of(shared_client, two) == (None, False)
        assert (await vehicles.get("bus")).status_code == 404

    async def test_a_claim_is_taken_over_and_kept_in_the_audit_log(
        self, shared_client: httpx.AsyncClient, vehicles: Vehicles, crops: Crops, runtime: Runtime, collection: str
    ) -> None:
        one, two, three = await crops({"vehicle_id": "misread"}, {"vehicle_id": "taxi"}, {"vehicle_id": "taxi"})
        made = (await vehicles.create(one, two, vehicle_id="taxi")).json()["vehicle"]
        assert (made["crops"], made["claimed_crops"]) == (2, 1)
        assert [await said_of(shared_client, crop) for crop in (one, two, three)] == [
            ("taxi", True),
            ("taxi", True),
            ("taxi", False),
        ]
        (entry,) = await audited(runtime, collection)
        assert (entry.action, entry.filter["claimed"]) == ("create_vehicle", {one: "misread"})
        assert [str(crop_id) for crop_id in entry.crop_ids] == sorted([one, two])

    async def test_other_words_for_a_vehicle_that_is_there_are_a_conflict(
        self, vehicles: Vehicles, crops: Crops
    ) -> None:
        one, two = await crops({}, {})
        await vehicles.create(one, vehicle_id="taxi", **SAID)
        for name, value in (("label", "Bus"), ("notes", "Clean."), ("attributes", {"colour": "blue"})):
            refused = await vehicles.create(two, vehicle_id="taxi", **{name: value})
            assert refused.status_code == 409
            assert f"with other {name}" in refused.json()["detail"]
        more = await vehicles.create(two, vehicle_id="taxi")
        assert (more.status_code, more.json()["vehicle"]["crops"]) == (200, 2)

    async def test_of_crops_of_the_collection_only(
        self,
        vehicles: Vehicles,
        crops: Crops,
        enroll_shared: Callable[..., Awaitable[httpx.Response]],
        shared_client: httpx.AsyncClient,
    ) -> None:
        (own,) = await crops({})
        answer = await enroll_shared(9, collection="elsewhere")
        foreign = answer.json()["items"][0]["id"]
        for missing in (foreign, str(uuid4())):
            refused = await vehicles.create(own, missing, vehicle_id="taxi")
            assert refused.status_code == 404
            assert f"holds no crop {missing}" in refused.json()["detail"]
        assert await said_of(shared_client, own) == (None, False)
        assert await said_of(shared_client, foreign) == (None, False)

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"crop_ids": []},
            {"crop_ids": ["x"]},
            {"crop_ids": [str(uuid4())] * 1001},
            {"vehicle_id": "a\u0000"},
            {"vehicle_id": " "},
            {"vehicle_id": "x" * 257},
            {"label": "a\nb"},
            {"notes": "\u0007"},
            {"attributes": {"a": {"b": 1}}},
            {"attributes": {"a": 2**60}},
            {"confirmed": True},
        ],
    )
    async def test_what_makes_no_sense_is_refused(self, shared_client: httpx.AsyncClient, body: dict[str, Any]) -> None:
        whole = {"crop_ids": [str(uuid4())], **body} if body else body
        assert (await shared_client.post("/vehicles", json=whole)).status_code == 422


class TestConfirmed:
    async def test_more_crops(self, shared_client: httpx.AsyncClient, vehicles: Vehicles, crops: Crops) -> None:
        one, two, three = await crops({}, {"camera_id": "b"}, {})
        before = (await vehicles.create(one, vehicle_id="taxi", **SAID)).json()["vehicle"]
        await vehicles.create(three, vehicle_id="bus")
        more = await vehicles.send("POST", "taxi/crops", {"crop_ids": [one, two]})
        assert (more.status_code, more.json()["changed_crops"]) == (200, 1)
        after = more.json()["vehicle"]
        assert after["updated_at"] > before["updated_at"]
        assert after == before | {"crops": 2, "cameras": 2, "updated_at": after["updated_at"]}
        assert (await vehicles.send("POST", "taxi/crops", {"crop_ids": [two]})).json()["vehicle"] == after
        refused = await vehicles.send("POST", "taxi/crops", {"crop_ids": [three]})
        assert (refused.status_code, refused.json()["errors"][0]["vehicle_id"]) == (409, "bus")
        assert await said_of(shared_client, three) == ("bus", True)
        assert (await vehicles.send("POST", "tram/crops", {"crop_ids": [two]})).status_code == 404

    async def test_a_confirmed_id_is_not_changed_with_the_crop(
        self, shared_client: httpx.AsyncClient, vehicles: Vehicles, crops: Crops
    ) -> None:
        (one,) = await crops({})
        await vehicles.create(one, vehicle_id="taxi")
        refused = await shared_client.patch(f"/gallery/{one}", json={"vehicle_id": "bus"})
        assert refused.status_code == 409
        await vehicles.send("POST", "taxi/crops/remove", {"crop_ids": [one]})
        assert (await shared_client.patch(f"/gallery/{one}", json={"vehicle_id": "bus"})).status_code == 200


class TestRemoved:
    async def test_its_crops_confirmed_or_claimed_and_no_others(
        self, shared_client: httpx.AsyncClient, vehicles: Vehicles, crops: Crops
    ) -> None:
        one, claimed, other, free = await crops({}, {"vehicle_id": "taxi"}, {}, {"vehicle_id": "tram"})
        await vehicles.create(one, vehicle_id="taxi", **SAID)
        await vehicles.create(other, vehicle_id="bus")
        body = {"crop_ids": [one, claimed, other, free]}
        removed = await vehicles.send("POST", "taxi/crops/remove", body)
        assert (removed.status_code, removed.json()["changed_crops"]) == (200, 2)
        vehicle = removed.json()["vehicle"]
        assert vehicle | SAID | {"crops": 0, "claimed_crops": 0, "best_crop_id": None} == vehicle
        assert [await said_of(shared_client, crop) for crop in (one, claimed, other, free)] == [
            (None, False),
            (None, False),
            ("bus", True),
            ("tram", False),
        ]
        again = await vehicles.send("POST", "taxi/crops/remove", body)
        assert (again.status_code, again.json()["changed_crops"]) == (200, 0)
        assert (await vehicles.send("POST", "tram/crops/remove", {"crop_ids": [free]})).status_code == 404


class TestDescribed:
    async def test_what_is_absent_stays_and_what_is_null_is_cleared(
        self, vehicles: Vehicles, crops: Crops, runtime: Runtime, collection: str
    ) -> None:
        (one,) = await crops({})
        await vehicles.create(one, vehicle_id="taxi", **SAID)
        for patch, expected in [
            ({}, SAID),
            ({"label": None}, SAID | {"label": None}),
            (
                {"attributes": {"colour": "blue", "doors": None, "roof": True}},
                {"attributes": {"colour": "blue", "roof": True}},
            ),
            ({"attributes": None, "notes": "New."}, {"attributes": {}, "notes": "New.", "label": None}),
        ]:
            answer = await vehicles.send("PATCH", "taxi", patch)
            assert answer.status_code == 200
            assert answer.json() | expected == answer.json()
        assert (await vehicles.get("taxi")).json() == answer.json()
        entries = await audited(runtime, collection)
        assert [(entry.action, entry.filter) for entry in entries[1:2]] == [
            ("update_vehicle", {"vehicle_id": "taxi", "label": None})
        ]
        assert len(entries) == 4

    async def test_too_many_attributes_are_refused(self, vehicles: Vehicles, crops: Crops) -> None:
        (one,) = await crops({})
        await vehicles.create(one, vehicle_id="taxi", attributes={str(number): 1 for number in range(64)})
        assert (await vehicles.send("PATCH", "taxi", {"attributes": {"more": 1}})).status_code == 422
        assert len((await vehicles.get("taxi")).json()["attributes"]) == 64

    async def test_one_that_is_not_there(self, vehicles: Vehicles, crops: Crops) -> None:
        assert (await vehicles.send("PATCH", "taxi", {})).status_code == 404
        await crops({"vehicle_id": "taxi"})
        assert (await vehicles.send("PATCH", "taxi", {})).status_code == 404


class TestDeleted:
    async def test_crops_stay_without_it_and_claims_stay(
        self, shared_client: httpx.AsyncClient, vehicles: Vehicles, crops: Crops, runtime: Runtime, collection: str
    ) -> None:
        one, claimed = await crops({"vehicle_id": "taxi"}, {"vehicle_id": "taxi"})
        await vehicles.create(one, vehicle_id="taxi", **SAID)
        assert (await vehicles.send("DELETE", "taxi")).status_code == 204
        assert await said_of(shared_client, one) == (None, False)
        assert await said_of(shared_client, claimed) == ("taxi", False)
        assert (await vehicles.get("taxi")).status_code == 404
        assert (await vehicles.get("taxi", claimed=True)).json()["claimed_crops"] == 1
        assert (await vehicles.send("DELETE", "taxi")).status_code == 404
        entry = (await audited(runtime, collection))[-1]
        assert (entry.action, entry.filter) == ("delete_vehicle", {"vehicle_id": "taxi", **SAID})
        assert list(map(str, entry.crop_ids)) == [one]

    async def test_says_why_where_that_is_asked(
        self, shared_client: httpx.AsyncClient, vehicles: Vehicles, crops: Crops, collection: str
    ) -> None:
        (one,) = await crops({})
        await vehicles.create(one, vehicle_id="taxi")
        await shared_client.patch(f"/collections/{collection}", json={"require_purpose": True})
        assert (await vehicles.send("DELETE", "taxi")).status_code == 422
        gone = await shared_client.delete(
            "/vehicles/taxi", params={"collection": collection}, headers={"X-Purpose": "case 7"}
        )
        assert gone.status_code == 204

    async def test_a_vehicle_outlives_its_crops(
        self, shared_client: httpx.AsyncClient, vehicles: Vehicles, crops: Crops
    ) -> None:
        (one,) = await crops({})
        await vehicles.create(one, vehicle_id="taxi", **SAID)
        await shared_client.delete(f"/gallery/{one}")
        left = (await vehicles.get("taxi")).json()
        assert left | SAID | {"crops": 0, "best_crop_id": None} == left

    async def test_it_goes_with_its_collection(
        self, shared_client: httpx.AsyncClient, vehicles: Vehicles, crops: Crops, collection: str
    ) -> None:
        (one,) = await crops({})
        await vehicles.create(one, vehicle_id="taxi")
        await shared_client.delete(f"/gallery/{one}")
        assert (await shared_client.delete(f"/collections/{collection}")).status_code == 204
        assert (await vehicles.get("taxi")).status_code == 404
        await crops({})
        assert (await vehicles.get("taxi", claimed=True)).status_code == 404


class TestWalls:
    async def test_a_caller_of_another_collection_is_refused(
        self, runtime: Runtime, crops: Crops, collection: str
    ) -> None:
        (one,) = await crops({})
        stranger = Caller(None, "stranger", SCOPES, frozenset({"elsewhere"}))
        with pytest.raises(ForbiddenError):
            await changing.create_vehicle(runtime, stranger, NewVehicle(collection=collection, crop_ids=[one]))
        own = NewVehicle(collection="elsewhere", crop_ids=[one])
        with pytest.raises(NotFoundError):
            await changing.create_vehicle(runtime, stranger, own)
