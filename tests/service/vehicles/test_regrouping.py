"""Merging and splitting vehicles over HTTP."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from support.vehicles import Vehicles, audited, said_of

from service.runtime import Runtime

Crops = Callable[..., Awaitable[list[str]]]
SAID = {"label": "Taxi 139", "notes": "Dented.", "attributes": {"colour": "red"}}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def merge(shared_client: httpx.AsyncClient, collection: str) -> Callable[..., Awaitable[httpx.Response]]:
    """Merges vehicles of the collection into the first."""

    async def merged(into: str, *others: str) -> httpx.Response:
        body = {"collection": collection, "into": into, "from": list(others)}
        return await shared_client.post("/vehicles/merge", json=body)

    return merged


class TestMerged:
    async def test_crops_go_over_as_sure_as_they_were(
        self, shared_client: httpx.AsyncClient, vehicles: Vehicles, crops: Crops, merge: Callable[..., Any]
    ) -> None:
        one, two, claimed, other = await crops({}, {}, {"vehicle_id": "b"}, {"vehicle_id": "c"})
        before = (await vehicles.create(one, vehicle_id="a", **SAID)).json()["vehicle"]
        await vehicles.create(two, vehicle_id="b", label="Bus", attributes={"doors": 3})
        answer = await merge("a", "b", "c")
        assert (answer.status_code, answer.json()["changed_crops"]) == (200, 3)
        after = answer.json()["vehicle"]
        assert after == before | {"crops": 2, "claimed_crops": 2, "updated_at": after["updated_at"]}
        assert [await said_of(shared_client, crop) for crop in (one, two, claimed, other)] == [
            ("a", True),
            ("a", True),
            ("a", False),
            ("a", False),
        ]
        for gone in ("b", "c"):
            assert (await vehicles.get(gone, claimed=True)).status_code == 404

    async def test_what_was_said_of_the_others_is_answered_and_kept(
        self, vehicles: Vehicles, crops: Crops, merge: Callable[..., Any], runtime: Runtime, collection: str
    ) -> None:
        one, two, _ = await crops({}, {}, {"vehicle_id": "claimed"})
        await vehicles.create(one, vehicle_id="a")
        other = (await vehicles.create(two, vehicle_id="b", **SAID)).json()["vehicle"]
        answer = (await merge("a", "b", "claimed")).json()
        assert answer["vehicle"]["label"] is None
        assert answer["merged"][0] == other
        assert (answer["merged"][1]["vehicle_id"], answer["merged"][1]["confirmed"]) == ("claimed", False)
        entry = (await audited(runtime, collection))[-1]
        nothing = {"label": None, "notes": None, "attributes": {}}
        assert entry.action == "merge_vehicles"
        assert entry.filter == {
            "into": "a",
            "from": [{"vehicle_id": "b", **SAID}, {"vehicle_id": "claimed", **nothing}],
        }

    async def test_one_without_crops(self, vehicles: Vehicles, crops: Crops, merge: Callable[..., Any]) -> None:
        one, two = await crops({}, {})
        await vehicles.create(one, vehicle_id="a")
        await vehicles.create(two, vehicle_id="b")
        await vehicles.send("POST", "b/crops/remove", {"crop_ids": [two]})
        answer = await merge("a", "b")
        assert (answer.status_code, answer.json()["changed_crops"]) == (200, 0)
        assert (await vehicles.get("b")).status_code == 404

    async def test_all_or_nothing(
        self, shared_client: httpx.AsyncClient, vehicles: Vehicles, crops: Crops, merge: Callable[..., Any]
    ) -> None:
        one, two, claimed = await crops({}, {}, {"vehicle_id": "c"})
        await vehicles.create(one, vehicle_id="a")
        await vehicles.create(two, vehicle_id="b")
        for into, others in [("a", ["b", "nobody"]), ("nobody", ["b"]), ("c", ["b"])]:
            refused = await merge(into, *others)
            assert refused.status_code == 404
        assert [await said_of(shared_client, crop) for crop in (one, two, claimed)] == [
            ("a", True),
            ("b", True),
            ("c", False),
        ]

    @pytest.mark.parametrize("others", [[], ["a"], ["b", "b"], ["b"] * 101, [""], ["a\u0000"]])
    async def test_what_makes_no_sense_is_refused(self, merge: Callable[..., Any], others: list[str]) -> None:
        assert (await merge("a", *others)).status_code == 422

    async def test_an_enrolment_under_the_old_id_is_a_claim_to_it(
        self, vehicles: Vehicles, crops: Crops, merge: Callable[..., Any]
    ) -> None:
        one, two = await crops({}, {})
        await vehicles.create(one, vehicle_id="a")
        await vehicles.create(two, vehicle_id="b")
        await merge("a", "b")
        await crops({"vehicle_id": "b"})
        assert (await vehicles.get("b", claimed=True)).json()["claimed_crops"] == 1
        assert (await vehicles.get("a")).json()["crops"] == 2


class TestSplit:
    async def test_its_crops_are_another_vehicle(
        self, shared_client: httpx.AsyncClient, vehicles: Vehicles, crops: Crops, runtime: Runtime, collection: str
    ) -> None:
        one, two, claimed = await crops({}, {"camera_id": "b"}, {"vehicle_id": "a"})
        await vehicles.create(one, two, vehicle_id="a", **SAID)
        answer = await vehicles.send("POST", "a/split", {"crop_ids": [two], "vehicle_id": "b", "label": "Bus"})
        assert (answer.status_code, answer.json()["changed_crops"]) == (201, 1)
        made = answer.json()["vehicle"]
        assert made | {"vehicle_id": "b", "label": "Bus", "notes": None, "attributes": {}, "crops": 1} == made
        left = (await vehicles.get("a")).json()
        assert left | SAID | {"crops": 1, "claimed_crops": 1, "best_crop_id": one} == left
        assert left["updated_at"] == made["updated_at"]
        assert [await said_of(shared_client, crop) for crop in (one, two, claimed)] == [
            ("a", True),
            ("b", True),
            ("a", False),
        ]
        entry = (await audited(runtime, collection))[-1]
        assert (entry.action, entry.filter["vehicle_id"], entry.filter["new_vehicle_id"]) == ("split_vehicle", "a", "b")

    async def test_an_id_is_made(self, vehicles: Vehicles, crops: Crops) -> None:
        (one,) = await crops({})
        await vehicles.create(one, vehicle_id="a")
        made = (await vehicles.send("POST", "a/split", {"crop_ids": [one]})).json()["vehicle"]
        assert made["crops"] == 1
        assert made["vehicle_id"] != "a"
        assert (await vehicles.get("a")).json()["crops"] == 0

    async def test_only_confirmed_crops_of_it_into_one_that_is_not_there(
        self, shared_client: httpx.AsyncClient, vehicles: Vehicles, crops: Crops
    ) -> None:
        one, two, claimed = await crops({}, {}, {"vehicle_id": "a"})
        await vehicles.create(one, vehicle_id="a")
        await vehicles.create(two, vehicle_id="b")
        for crop_ids, new_id, status, words in [
            ([one, two], "c", 409, f"Crop {two} is confirmed to be vehicle 'b', not 'a'."),
            ([claimed], "c", 409, f"Crop {claimed} is confirmed to be no vehicle, not 'a'."),
            ([one], "b", 409, "There is a vehicle 'b' already"),
            ([one], "a", 409, "There is a vehicle 'a' already"),
            ([one, str(uuid4())], "c", 404, "holds no crop"),
        ]:
            refused = await vehicles.send("POST", "a/split", {"crop_ids": crop_ids, "vehicle_id": new_id})
            assert refused.status_code == status
            assert words in refused.json()["detail"]
        assert (await vehicles.send("POST", "tram/split", {"crop_ids": [one]})).status_code == 404
        assert await said_of(shared_client, one) == ("a", True)
        assert (await vehicles.get("c")).status_code == 404
