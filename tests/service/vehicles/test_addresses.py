"""A vehicle is found at its address, whatever it is called."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from support.vehicles import Vehicles, said_of

Crops = Callable[..., Awaitable[list[str]]]

pytestmark = pytest.mark.asyncio(loop_scope="module")

IN_A_PATH = ["a/b", "%2F", "/", "Süd 🚕", "?x=1#a+b&c", "merge", "x/crops/remove"]
IN_A_QUERY = ["~", "..", "a/../b", "a/sightings", "%2F"]


@pytest.mark.parametrize(
    ("vehicle_id", "address", "query"),
    [(vehicle_id, quote(vehicle_id, safe=""), {}) for vehicle_id in IN_A_PATH]
    + [(vehicle_id, "~", {"id": vehicle_id}) for vehicle_id in IN_A_QUERY],
)
async def test_every_route_of_one_vehicle(
    *,
    shared_client: httpx.AsyncClient,
    vehicles: Vehicles,
    crops: Crops,
    collection: str,
    vehicle_id: str,
    address: str,
    query: dict[str, str],
) -> None:
    async def send(method: str, path: str = "", body: Any = None) -> httpx.Response:
        wanted = {"collection": collection, **query}
        return await shared_client.request(method, f"/vehicles/{address}{path}", params=wanted, json=body)

    one, two, three, other = await crops({}, {}, {}, {})
    await vehicles.create(other, vehicle_id="other")
    await vehicles.create(one, vehicle_id=vehicle_id)
    assert (await send("GET")).json()["vehicle_id"] == vehicle_id
    assert (await send("PATCH", body={"label": "x"})).json()["label"] == "x"
    assert (await send("POST", "/crops", {"crop_ids": [two, three]})).json()["vehicle"]["crops"] == 3
    path = (await send("GET", "/sightings")).json()
    assert (path["vehicle_id"], path["items"][0]["crops"]) == (vehicle_id, 3)
    assert (await send("POST", "/crops/remove", {"crop_ids": [two]})).json()["vehicle"]["crops"] == 2
    assert (await send("POST", "/split", {"crop_ids": [three], "vehicle_id": "new"})).status_code == 201
    assert await said_of(shared_client, one) == (vehicle_id, True)
    assert (await send("DELETE")).status_code == 204
    assert [(await said_of(shared_client, crop))[0] for crop in (one, two, three, other)] == [
        None,
        None,
        "new",
        "other",
    ]


async def test_an_id_is_in_one_place(vehicles: Vehicles, crops: Crops) -> None:
    (one,) = await crops({})
    await vehicles.create(one, vehicle_id="taxi")
    for refused in (await vehicles.get("~"), await vehicles.get("taxi", id="taxi")):
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == "id"
    assert (await vehicles.get("", id="taxi")).status_code == 422
    assert (await vehicles.get("~", id="a\u0000")).status_code == 422


async def test_the_sightings_of_a_are_not_taken_for_the_vehicle_that_ends_so(vehicles: Vehicles, crops: Crops) -> None:
    one, two = await crops({}, {})
    await vehicles.create(one, vehicle_id="a")
    await vehicles.create(two, vehicle_id="a/sightings")
    for address in ("a%2Fsightings", "a%2fsightings"):
        refused = await vehicles.get(address)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "vehicle_id")
    assert (await vehicles.get("a/sightings")).json()["vehicle_id"] == "a"
    assert (await vehicles.get("a%2Fsightings/sightings")).json()["vehicle_id"] == "a/sightings"
