"""Cameras over HTTP."""

from collections.abc import Awaitable, Callable
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import select

from service.database.tables import AuditEntry

Post = Callable[..., Awaitable[httpx.Response]]


async def test_cameras_appear_with_their_crops(client: httpx.AsyncClient, enroll: Post) -> None:
    assert (await client.get("/cameras")).status_code == 404
    items = [
        {"camera_id": "b", "captured_at": "2026-01-02T00:00:00Z"},
        {"camera_id": "a"},
        {"camera_id": "b", "captured_at": "2026-01-01T00:00:00Z"},
        {"camera_id": "c"},
    ]
    enrolled = (await enroll(1, 2, 3, 4, items=items)).json()["items"]
    await client.delete(f"/gallery/{enrolled[3]['id']}")
    first = (await client.get("/cameras", params={"limit": 2})).json()
    nowhere = {"name": None, "latitude": None, "longitude": None}
    assert [{k: v for k, v in camera.items() if k != "created_at"} for camera in first["items"]] == [
        {"camera_id": "a", **nowhere, "crops": 1, "first_captured_at": None, "last_captured_at": None},
        {
            "camera_id": "b",
            **nowhere,
            "crops": 2,
            "first_captured_at": "2026-01-01T00:00:00Z",
            "last_captured_at": "2026-01-02T00:00:00Z",
        },
    ]
    second = (await client.get("/cameras", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [(camera["camera_id"], camera["crops"]) for camera in second["items"]] == [("c", 0)]
    assert second["next_cursor"] is None


PLACE = {"name": "North gate", "latitude": 53.5, "longitude": -9.25}


class TestAnnounced:
    async def test_before_its_first_crop(self, client: httpx.AsyncClient, enroll: Post) -> None:
        made = await client.post("/cameras", json={"camera_id": "gate", "collection": "city", **PLACE})
        assert made.status_code == 201
        assert made.json() | PLACE == made.json()
        assert (made.json()["camera_id"], made.json()["crops"]) == ("gate", 0)
        assert (await client.get("/collections/city")).json()["cameras"] == 1
        assert (await enroll(1, collection="city", camera_id="gate")).status_code == 201
        seen = (await client.get("/cameras/gate", params={"collection": "city"})).json()
        assert seen == made.json() | {"crops": 1}
        assert (await client.get("/cameras/gate")).status_code == 404

    async def test_once(self, client: httpx.AsyncClient, enroll: Post) -> None:
        await enroll(1, camera_id="gate")
        again = await client.post("/cameras", json={"camera_id": "gate", **PLACE})
        assert (again.status_code, again.json()["code"]) == (409, "conflict")
        assert (await client.get("/cameras/gate")).json()["name"] is None

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"camera_id": "a", "latitude": 1},
            {"camera_id": "a", "longitude": 1},
            {"camera_id": "a", "latitude": 91, "longitude": 1},
            {"camera_id": "a", "latitude": 1, "longitude": -181},
            {"camera_id": "a", "crops": 1},
            {"camera_id": "a", "collection": "a/b"},
            {"camera_id": "a\u0000"},
        ],
    )
    async def test_what_makes_no_sense_is_refused(self, client: httpx.AsyncClient, body: dict[str, object]) -> None:
        assert (await client.post("/cameras", json=body)).status_code == 422
        assert (await client.get("/collections")).json()["items"] == []


class TestChanged:
    @pytest.mark.parametrize("camera_id", ["gate", "Kreuzung 7 / Süd", "a//b", "?x=1#y", "%2F"])
    async def test_whatever_it_is_called(self, client: httpx.AsyncClient, enroll: Post, camera_id: str) -> None:
        await enroll(1, camera_id=camera_id)
        await enroll(1, camera_id="other")
        address = f"/cameras/{quote(camera_id, safe='')}"
        before = (await client.get(address)).json()
        assert before["camera_id"] == camera_id
        changed = await client.patch(address, json=PLACE)
        assert changed.json() == before | PLACE
        assert (await client.get(address)).json() == changed.json()
        assert (await client.get("/cameras/other")).json()["name"] is None

    async def test_what_is_absent_stays_and_what_is_null_is_cleared(
        self, client: httpx.AsyncClient, enroll: Post
    ) -> None:
        await enroll(1, camera_id="gate")
        await client.patch("/cameras/gate", json=PLACE)
        for patch, expected in [
            ({}, PLACE),
            ({"latitude": 1}, PLACE | {"latitude": 1}),
            ({"name": None}, {"name": None, "latitude": 1, "longitude": -9.25}),
            ({"latitude": None, "longitude": None}, dict.fromkeys(PLACE)),
        ]:
            answer = (await client.patch("/cameras/gate", json=patch)).json()
            assert {name: answer[name] for name in PLACE} == expected
        async with client._transport.app.state.runtime.database.reading() as session:
            said = [entry.filter for entry in await session.scalars(select(AuditEntry).order_by(AuditEntry.id))]
        assert said[0] == {"camera_id": "gate", **PLACE}
        assert said[3] == {"camera_id": "gate", "name": None}

    async def test_half_a_place_is_refused(self, client: httpx.AsyncClient, enroll: Post) -> None:
        await enroll(1, camera_id="gate")
        answer = await client.patch("/cameras/gate", json={"longitude": 1})
        assert answer.status_code == 422
        assert "latitude: must be given, or null, together with longitude" in answer.json()["detail"]
        await client.patch("/cameras/gate", json=PLACE)
        assert (await client.patch("/cameras/gate", json={"latitude": None})).status_code == 422
        assert (await client.get("/cameras/gate")).json()["latitude"] == PLACE["latitude"]

    async def test_one_that_is_not_there(self, client: httpx.AsyncClient, enroll: Post) -> None:
        assert (await client.patch("/cameras/gate", json={})).status_code == 404
        await enroll(1, camera_id="a")
        assert (await client.patch("/cameras/gate", json={})).status_code == 404
        assert (await client.get("/cameras/gate")).status_code == 404
