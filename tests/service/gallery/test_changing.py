"""PATCH /gallery/{id}: what is said of a crop changes, in the lists and in the searches."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from service.database.tables import AuditEntry, Change, Crop

pytestmark = pytest.mark.asyncio(loop_scope="module")

Post = Callable[..., Awaitable[httpx.Response]]

SAID = {
    "captured_at": "2026-11-23T08:30:00Z",
    "session_id": "s",
    "track_id": "17",
    "vehicle_id": "v",
    "external_id": "e",
    "attributes": {"colour": "red", "axles": 2, "plate": None},
    "bbox": [1.0, 2.0, 3.0, 4.0],
}


def _runtime(client: httpx.AsyncClient) -> Any:
    return client._transport.app.state.runtime


async def _enrolled(enroll: Post, collection: str, **fields: object) -> str:
    items = [{"camera_id": "a", **SAID, **fields}]
    return str((await enroll(1, collection=collection, items=items)).json()["items"][0]["id"])


async def _lines(client: httpx.AsyncClient, crop_id: str) -> int:
    async with _runtime(client).database.reading() as session:
        return len((await session.scalars(select(Change).where(Change.crop_id == crop_id))).all())


class TestMergePatch:
    @pytest.mark.parametrize(
        ("patch", "changes"),
        [
            ({}, {}),
            ({"captured_at": "2026-11-23T09:30:00+01:00"}, {}),
            ({"captured_at": "2026-11-22T00:00:00Z"}, {"captured_at": "2026-11-22T00:00:00Z"}),
            (dict.fromkeys(SAID), {**dict.fromkeys(SAID), "attributes": {}}),
            (
                {"session_id": "t", "track_id": "18", "vehicle_id": "w", "external_id": "f", "bbox": [1, 1, 1, 1]},
                {"session_id": "t", "track_id": "18", "vehicle_id": "w", "external_id": "f", "bbox": [1, 1, 1, 1]},
            ),
            (
                {"attributes": {"colour": None, "axles": 3, "taxi": True}},
                {"attributes": {"axles": 3, "taxi": True, "plate": None}},
            ),
            ({"attributes": {}}, {}),
        ],
    )
    async def test_absent_stays_and_null_clears(
        self,
        shared_client: httpx.AsyncClient,
        enroll_shared: Post,
        patch: dict[str, Any],
        changes: dict[str, Any],
        request: pytest.FixtureRequest,
    ) -> None:
        crop_id = await _enrolled(enroll_shared, request.node.name.replace("/", ""))
        before = (await shared_client.get(f"/gallery/{crop_id}")).json()
        answer = await shared_client.patch(f"/gallery/{crop_id}", json=patch)
        assert answer.status_code == 200, answer.text
        assert answer.json() == before | changes
        assert (await shared_client.get(f"/gallery/{crop_id}")).json() == answer.json()
        assert await _lines(shared_client, crop_id) == (2 if changes else 1)

    async def test_true_is_not_one(self, shared_client: httpx.AsyncClient, enroll_shared: Post) -> None:
        crop_id = await _enrolled(enroll_shared, "true", attributes={"taxi": 1})
        patched = await shared_client.patch(f"/gallery/{crop_id}", json={"attributes": {"taxi": True}})
        assert patched.json()["attributes"] == {"taxi": True}
        assert (await shared_client.get(f"/gallery/{crop_id}")).json()["attributes"]["taxi"] is True

    async def test_searches_follow(
        self, shared_client: httpx.AsyncClient, enroll_shared: Post, search_shared: Post
    ) -> None:
        crop_id = await _enrolled(enroll_shared, "followed")
        await shared_client.patch(
            f"/gallery/{crop_id}",
            json={"vehicle_id": "w", "captured_at": "2026-11-22T00:00:00Z", "track_id": "18", "attributes": {"new": 1}},
        )
        for conditions, found in [
            ({"vehicle_ids": "v"}, False),
            ({"vehicle_ids": "w"}, True),
            ({"from": "2026-11-23T00:00:00Z"}, False),
            ({"to": "2026-11-23T00:00:00Z"}, True),
            ({"tracks": '[{"camera_id": "a", "session_id": "s", "track_id": "17"}]'}, False),
            ({"tracks": '[{"camera_id": "a", "session_id": "s", "track_id": "18"}]'}, True),
            ({"attributes": '{"new": 1, "colour": "red"}'}, True),
        ]:
            hits = (await search_shared(1, collection="followed", **conditions)).json()["hits"]
            assert bool(hits) is found, conditions

    async def test_who_changed_what_is_on_record(self, shared_client: httpx.AsyncClient, enroll_shared: Post) -> None:
        crop_id = await _enrolled(enroll_shared, "recorded")
        await shared_client.patch(f"/gallery/{crop_id}", json={"vehicle_id": None})
        async with _runtime(shared_client).database.reading() as session:
            (entry,) = await session.scalars(select(AuditEntry).where(AuditEntry.collection == "recorded"))
        assert (entry.action, entry.filter) == ("update_crop", {"vehicle_id": None})
        assert [str(one) for one in entry.crop_ids] == [crop_id]


class TestRefused:
    @pytest.mark.parametrize(
        ("patch", "said"),
        [
            ({"camera_id": "b"}, "camera_id: is not a field"),
            ({"captured_at": "2026-11-23T08:30:00"}, "must carry a time zone"),
            ({"vehicle_id": ""}, "vehicle_id"),
            ({"vehicle_id": "a\u0000"}, "control characters"),
            ({"attributes": {"a": {}}}, "must be flat"),
            ({"attributes": {str(number): number for number in range(62)}}, "64 entries at most"),
            ({"bbox": [1, 2, 3]}, "bbox"),
            ({"captured_at": (datetime.now(UTC) + timedelta(days=1)).isoformat()}, "lies in the future"),
            ([], ""),
        ],
    )
    async def test_what_makes_no_sense(
        self, shared_client: httpx.AsyncClient, enroll_shared: Post, patch: object, said: str
    ) -> None:
        crop_id = await _enrolled(enroll_shared, "refused", external_id=None)
        before = (await shared_client.get(f"/gallery/{crop_id}")).json()
        answer = await shared_client.patch(f"/gallery/{crop_id}", json=patch)
        assert answer.status_code == 422, answer.text
        assert said in answer.json()["detail"]
        assert (await shared_client.get(f"/gallery/{crop_id}")).json() == before

    async def test_an_external_id_of_another_crop(self, shared_client: httpx.AsyncClient, enroll_shared: Post) -> None:
        crop_id = await _enrolled(enroll_shared, "taken")
        await _enrolled(enroll_shared, "taken", external_id="other")
        await _enrolled(enroll_shared, "elsewhere", external_id="free here")
        answer = await shared_client.patch(f"/gallery/{crop_id}", json={"external_id": "other", "vehicle_id": "w"})
        assert (answer.status_code, answer.json()["code"]) == (409, "external_id_conflict")
        crop = (await shared_client.get(f"/gallery/{crop_id}")).json()
        assert (crop["external_id"], crop["vehicle_id"]) == ("e", "v")
        assert (await shared_client.patch(f"/gallery/{crop_id}", json={"external_id": "free here"})).status_code == 200

    async def test_a_vehicle_that_a_person_has_confirmed(
        self, shared_client: httpx.AsyncClient, enroll_shared: Post
    ) -> None:
        crop_id = await _enrolled(enroll_shared, "confirmed")
        async with _runtime(shared_client).database.transaction() as session:
            await session.execute(update(Crop).where(Crop.id == crop_id).values(vehicle_confirmed=True))
        for vehicle_id in ("w", None):
            answer = await shared_client.patch(f"/gallery/{crop_id}", json={"vehicle_id": vehicle_id})
            assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
            assert "'v'" in answer.json()["detail"]
        assert (
            await shared_client.patch(f"/gallery/{crop_id}", json={"vehicle_id": "v", "track_id": "18"})
        ).status_code == 200

    async def test_a_crop_that_is_not_there(self, shared_client: httpx.AsyncClient) -> None:
        answer = await shared_client.patch("/gallery/019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071", json={"track_id": "1"})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_changes_at_once_are_all_there(shared_client: httpx.AsyncClient, enroll_shared: Post) -> None:
    crop_id = await _enrolled(enroll_shared, "at once", attributes={})
    wanted = {str(number): number for number in range(6)}
    answers = await asyncio.gather(
        *(shared_client.patch(f"/gallery/{crop_id}", json={"attributes": {k: v}}) for k, v in wanted.items())
    )
    assert {answer.status_code for answer in answers} == {200}
    assert (await shared_client.get(f"/gallery/{crop_id}")).json()["attributes"] == wanted


async def test_lists_by_what_only_rows_know(shared_client: httpx.AsyncClient, enroll_shared: Post) -> None:
    claimed = await _enrolled(enroll_shared, "rows")
    confirmed = await _enrolled(enroll_shared, "rows", external_id=None)
    unknown = await _enrolled(enroll_shared, "rows", external_id=None, vehicle_id=None)
    async with _runtime(shared_client).database.transaction() as session:
        await session.execute(update(Crop).where(Crop.id == confirmed).values(vehicle_confirmed=True, has_image=False))
    for query, expected in [
        ({"has_vehicle": True}, {claimed, confirmed}),
        ({"has_vehicle": False}, {unknown}),
        ({"vehicle_confirmed": True}, {confirmed}),
        ({"vehicle_confirmed": False}, {claimed, unknown}),
        ({"has_image": False}, {confirmed}),
        ({"has_image": True, "has_vehicle": True}, {claimed}),
    ]:
        page = (await shared_client.get("/gallery", params={"collection": "rows", **query})).json()
        assert {item["id"] for item in page["items"]} == expected, query
