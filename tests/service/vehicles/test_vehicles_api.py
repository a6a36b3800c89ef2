"""Vehicles over HTTP."""

from collections.abc import Awaitable, Callable
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import select

from service.database.tables import AuditEntry

Post = Callable[..., Awaitable[httpx.Response]]
SAID = {"label": "Taxi 139", "notes": "Dented.\nLeft door.", "attributes": {"colour": "red"}}


async def _crops(enroll: Post, *items: dict[str, object], **fields: object) -> list[str]:
    """Ids of crops enrolled with these fields."""
    answer = await enroll(*range(len(items)), items=list(items), **fields)
    return [item["id"] for item in answer.json()["items"]]


async def _vehicle_of(client: httpx.AsyncClient, crop_id: str) -> tuple[str | None, bool]:
    crop = (await client.get(f"/gallery/{crop_id}")).json()
    return crop["vehicle_id"], crop["vehicle_confirmed"]


class TestConfirmed:
    async def test_crops_carry_it_and_searches_follow(self, client: httpx.AsyncClient, enroll: Post) -> None:
        one, two, other = await _crops(enroll, {"camera_id": "a"}, {"camera_id": "b"}, {"camera_id": "c"})
        answer = await client.post("/vehicles", json={"crop_ids": [one, two, one], "vehicle_id": "taxi", **SAID})
        assert answer.status_code == 201
        assert answer.json()["changed_crops"] == 2
        vehicle = answer.json()["vehicle"]
        assert vehicle | SAID == vehicle
        assert vehicle | {"vehicle_id": "taxi", "crops": 2, "claimed_crops": 0, "cameras": 2} == vehicle
        assert vehicle["best_crop_id"] in (one, two)
        assert await _vehicle_of(client, one) == ("taxi", True)
        assert await _vehicle_of(client, other) == (None, False)
        found = await client.post(
            "/search/crop",
            json={"crop_ids": [other], "vehicle_ids": ["taxi"], "min_sequence": answer.json()["sequence"]},
        )
        assert {hit["crop"]["id"] for hit in found.json()["hits"]} == {one, two}
