"""The path of a vehicle over HTTP."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from support.vehicles import Vehicles

Crops = Callable[..., Awaitable[list[str]]]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def place(shared_client: httpx.AsyncClient, collection: str) -> Callable[..., Awaitable[httpx.Response]]:
    """Says where a camera stands."""

    async def placed(camera_id: str, latitude: float, longitude: float) -> httpx.Response:
        where = {"latitude": latitude, "longitude": longitude, "name": f"Camera {camera_id}"}
        return await shared_client.patch(f"/cameras/{camera_id}", params={"collection": collection}, json=where)

    return placed


def _at(camera_id: str, time: str | None, **fields: Any) -> dict[str, Any]:
    captured = {} if time is None else {"captured_at": f"2026-01-01T{time}Z"}
    return {"camera_id": camera_id, **captured, **fields}


async def _path(vehicles: Vehicles, **query: Any) -> list[dict[str, Any]]:
    answer = await vehicles.get("taxi/sightings", **query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_time_distance_and_speed_from_camera_to_camera(
    vehicles: Vehicles, crops: Crops, place: Callable[..., Any]
) -> None:
    ids = await crops(
        _at("a", "08:00:00", track_id="1"),
        _at("a", "08:00:05", track_id="1"),
        _at("b", "08:05:05"),
        _at("c", "08:06:05"),
        _at("d", "08:16:05"),
        _at("d", None),
    )
    await vehicles.create(*ids, vehicle_id="taxi")
    await place("a", 50.0, 8.0)
    await place("b", 50.05, 8.0)
    await place("c", 50.1, 8.0)
    path = await _path(vehicles)
    assert [(one["camera"]["camera_id"], one["crops"], one["gap_s"]) for one in path] == [
        ("a", 2, None),
        ("b", 1, 300.0),
        ("c", 1, 60.0),
        ("d", 1, 600.0),
        ("d", 1, None),
    ]
    first = path[0]
    assert first["camera"] == {"camera_id": "a", "name": "Camera a", "latitude": 50.0, "longitude": 8.0}
    assert (first["track_id"], first["first_captured_at"], first["last_captured_at"]) == (
        "1",
        "2026-01-01T08:00:00Z",
        "2026-01-01T08:00:05Z",
    )
    assert first["best_crop"]["id"] in ids[:2]
    assert first["image_url"] == f"/gallery/{first['best_crop']['id']}/image"
    assert [one["implausible"] for one in path] == [None, False, True, None, None]
    # 0.05 degrees of latitude are 5.56 km; in 5 minutes that is 66.7 km/h, in one it is 333.6
    assert path[1]["distance_m"] == pytest.approx(5560, abs=1)
    assert [path[1]["speed_kmh"], path[2]["speed_kmh"]] == pytest.approx([66.7, 333.6], abs=0.05)
    assert path[3]["distance_m"] is path[3]["speed_kmh"] is None


async def test_claims_count_where_asked_for(vehicles: Vehicles, crops: Crops) -> None:
    sure, _ = await crops(_at("a", "08:00:00"), _at("b", "08:01:00", vehicle_id="taxi"))
    assert (await vehicles.get("taxi/sightings")).status_code == 404
    assert [one["confirmed_crops"] for one in await _path(vehicles, claimed=True)] == [0]
    await vehicles.create(sure, vehicle_id="taxi")
    assert [one["camera"]["camera_id"] for one in await _path(vehicles)] == ["a"]
    both = await _path(vehicles, claimed=True)
    assert [(one["camera"]["camera_id"], one["confirmed_crops"]) for one in both] == [("a", 1), ("b", 0)]


async def test_pages_and_gaps(vehicles: Vehicles, crops: Crops) -> None:
    ids = await crops(_at("a", "08:00:00"), _at("a", "08:02:00"), _at("a", "08:08:00"))
    await vehicles.create(*ids, vehicle_id="taxi")
    assert [one["crops"] for one in await _path(vehicles)] == [2, 1]
    assert [one["crops"] for one in await _path(vehicles, longest_gap_s=360)] == [3]
    first = (await vehicles.get("taxi/sightings", limit=1)).json()
    rest = (await vehicles.get("taxi/sightings", limit=1, cursor=first["next_cursor"])).json()
    assert first["items"] + rest["items"] == await _path(vehicles)
    assert (rest["next_cursor"], rest["vehicle_id"], rest["items"][0]["gap_s"]) == (None, "taxi", 360.0)


async def test_a_vehicle_without_crops(vehicles: Vehicles, crops: Crops) -> None:
    (one,) = await crops({})
    await vehicles.create(one, vehicle_id="taxi")
    await vehicles.send("POST", "taxi/crops/remove", {"crop_ids": [one]})
    assert await _path(vehicles) == []


@pytest.mark.parametrize(
    "query",
    [
        {"longest_gap_s": -1},
        {"longest_gap_s": "nan"},
        {"longest_gap_s": 1e12},
        {"limit": 0},
        {"cursor": "x"},
        {"from": "2026"},
        {"collection": "a\u0000"},
    ],
)
async def test_what_makes_no_sense_is_refused(
    shared_client: httpx.AsyncClient, vehicles: Vehicles, crops: Crops, query: dict[str, Any]
) -> None:
    await crops({"vehicle_id": "taxi"})
    assert (await vehicles.get("taxi/sightings", claimed=True, **query)).status_code == 422
