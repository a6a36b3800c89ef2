"""Collections over HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from service.cameras.repository import CameraRepository
from service.collections.repository import CollectionRepository
from service.database.tables import AuditEntry

pytestmark = pytest.mark.asyncio(loop_scope="module")

Post = Callable[..., Awaitable[httpx.Response]]


def _runtime(client: httpx.AsyncClient) -> Any:
    return client._transport.app.state.runtime


async def _audited(client: httpx.AsyncClient, collection: str) -> list[tuple[str, dict[str, Any]]]:
    async with _runtime(client).database.reading() as session:
        entries = select(AuditEntry).where(AuditEntry.collection == collection).order_by(AuditEntry.id)
        return [(entry.action, entry.filter) for entry in await session.scalars(entries)]


class TestMade:
    async def test_before_its_first_crop(self, shared_client: httpx.AsyncClient, enroll_shared: Post) -> None:
        settings = {
            "description": "Gates\nand berths",
            "codec": "fp16",
            "retention_days": 30,
            "quality_floor": {"min_width": 10},
            "require_purpose": True,
        }
        made = await shared_client.post("/collections", json={"name": "made", **settings})
        assert made.status_code == 201
        assert {name: made.json()[name] for name in settings} == {
            **settings,
            "quality_floor": dict.fromkeys(made.json()["quality_floor"]) | {"min_width": 10},
        }
        assert made.json()["model_loaded"] is True
        assert made.json()["keep_images"] is True
        assert (made.json()["crops"], made.json()["cameras"], made.json()["calibration"]) == (0, 0, "none")
        assert (await shared_client.get("/collections/made")).json() == made.json()
        assert (await enroll_shared(1, 2, collection="made")).status_code == 201
        held = (await shared_client.get("/collections/made")).json()
        assert (held["crops"], held["cameras"]) == (2, 1)
        assert await _audited(shared_client, "made") == [
            ("create_collection", {**settings, "quality_floor": {"min_width": 10}})
        ]

    async def test_once(self, shared_client: httpx.AsyncClient, enroll_shared: Post) -> None:
        await enroll_shared(1, collection="once")
        again = await shared_client.post("/collections", json={"name": "once", "retention_days": 1})
        assert (again.status_code, again.json()["code"]) == (409, "conflict")
        assert (await shared_client.get("/collections/once")).json()["retention_days"] is None

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"name": "a/b"},
            {"name": ".."},
            {"name": " ..."},
            {"name": "x", "retention_days": 0},
            {"name": "x", "retention_days": 1e300},
            {"name": "x", "codec": "fp8"},
            {"name": "x", "quality_floor": {"min_width": 0}},
            {"name": "x", "quality_floor": {"width": 1}},
            {"name": "x", "quality_floor": {"min_aspect": 2, "max_aspect": 1}},
            {"name": "x", "keep_images": None},
            {"name": "x", "description": "a\x00b"},
            {"name": "x", "model_id": "mine"},
            {"name": "x" * 257},
        ],
    )
    async def test_what_makes_no_sense_is_refused(self, shared_client: httpx.AsyncClient, body: dict[str, Any]) -> None:
        assert (await shared_client.post("/collections", json=body)).status_code == 422

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"{", 400),
            (b"\xff", 400),
            (b"[" * 100_000, 400),
            (b'{"name": "x", "retention_days": NaN}', 422),
            (b'{"name": "x", "retention_days": 1' + b"0" * 400 + b"}", 422),
            (b'{"name": "\\ud800"}', 422),
            (b'{"\\ud800": 1, "name": "x"}', 422),
            (b"null", 422),
        ],
    )
    async def test_what_cannot_be_read_is_refused(
        self, shared_client: httpx.AsyncClient, body: bytes, status: int
    ) -> None:
        answer = await shared_client.post("/collections", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == status, answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"

    async def test_enrolment_makes_none_that_could_not_be_addressed(
        self, shared_client: httpx.AsyncClient, enroll_shared: Post
    ) -> None:
        answer = await enroll_shared(1, collection="a/b")
        assert answer.status_code == 422
        assert "slash" in answer.json()["detail"]


class TestListed:
    async def test_in_the_order_of_their_names(self, shared_client: httpx.AsyncClient) -> None:
        names = ["list-B", "list-a", "list-é"]
        for name in names:
            await shared_client.post("/collections", json={"name": name})
        seen: list[str] = []
        cursor = None
        while True:
            query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            page = (await shared_client.get("/collections", params=query)).json()
            assert len(page["items"]) <= 2
            seen += [item["name"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert [name for name in seen if name.startswith("list-")] == names
        assert seen == sorted(set(seen))

    async def test_only_those_that_a_key_is_bound_to(self, shared_client: httpx.AsyncClient) -> None:
        for name in ("mine", "theirs"):
            await shared_client.post("/collections", json={"name": name})
        async with _runtime(shared_client).database.reading() as session:
            collections = CollectionRepository(session)
            found, cursor = await collections.page(frozenset({"mine", "nothing"}), limit=1)
            assert ([one.name for one in found], cursor) == (["mine"], None)
            assert await collections.page(frozenset(), limit=5) == ([], None)

    async def test_one_that_is_not_there(self, shared_client: httpx.AsyncClient) -> None:
        for method in ("GET", "PATCH", "DELETE"):
            answer = await shared_client.request(method, "/collections/nothing", json={} if method == "PATCH" else None)
            assert answer.status_code == 404, method


class TestChanged:
    async def test_what_is_absent_stays_and_what_is_null_is_cleared(self, shared_client: httpx.AsyncClient) -> None:
        floor = {"min_width": 10, "min_height": 20, "max_aspect": 3.0}
        first = {"name": "changed", "description": "d", "retention_days": 5, "quality_floor": floor}
        before = (await shared_client.post("/collections", json=first)).json()
        patch = {"description": None, "quality_floor": {"min_width": 11, "min_height": None}, "keep_images": False}
        after = (await shared_client.patch("/collections/changed", json=patch)).json()
        assert after == before | {
            "description": None,
            "keep_images": False,
            "quality_floor": before["quality_floor"] | {"min_width": 11, "min_height": None},
        }
        assert (await shared_client.patch("/collections/changed", json={})).json() == after
        cleared = (await shared_client.patch("/collections/changed", json={"quality_floor": None})).json()
        assert set(cleared["quality_floor"].values()) == {None}
        assert [action for action, _ in await _audited(shared_client, "changed")] == [
            "create_collection",
            *["update_collection"] * 3,
        ]
        merge = {"Content-Type": "application/merge-patch+json"}
        answer = await shared_client.patch("/collections/changed", content=b'{"codec": "fp32"}', headers=merge)
        assert answer.json()["codec"] == "fp32"

    async def test_a_floor_that_leaves_nothing_is_refused(self, shared_client: httpx.AsyncClient) -> None:
        await shared_client.post("/collections", json={"name": "floor", "quality_floor": {"max_brightness": 0.5}})
        answer = await shared_client.patch("/collections/floor", json={"quality_floor": {"min_brightness": 0.6}})
        assert answer.status_code == 422
        assert "min_brightness must not be above max_brightness" in answer.json()["detail"]

    @pytest.mark.parametrize("patch", [{"name": "other"}, {"model_id": "x"}, {"keep_images": None}, {"codec": "x"}, []])
    async def test_what_cannot_be_changed(self, shared_client: httpx.AsyncClient, patch: object) -> None:
        await shared_client.post("/collections", json={"name": "unchanged"})
        assert (await shared_client.patch("/collections/unchanged", json=patch)).status_code == 422

    async def test_changes_at_once_are_all_there(self, shared_client: httpx.AsyncClient) -> None:
        await shared_client.post("/collections", json={"name": "at-once"})
        floor = {"min_width": 1, "min_height": 2, "min_sharpness": 0.5, "min_brightness": 0.25, "max_aspect": 3.0}
        await asyncio.gather(
            *(
                shared_client.patch("/collections/at-once", json={"quality_floor": {name: value}})
                for name, value in floor.items()
            )
        )
        found = (await shared_client.get("/collections/at-once")).json()["quality_floor"]
        assert {name: value for name, value in found.items() if value is not None} == floor


class TestDeleted:
    async def test_when_it_is_empty(self, shared_client: httpx.AsyncClient, enroll_shared: Post) -> None:
        crop = (await enroll_shared(1, collection="emptied")).json()["items"][0]["id"]
        assert (await shared_client.delete(f"/gallery/{crop}")).status_code in (202, 204)
        deleted = await shared_client.delete("/collections/emptied")
        assert (deleted.status_code, deleted.content) == (204, b"")
        assert (await shared_client.get("/collections/emptied")).status_code == 404
        assert (await shared_client.get("/cameras", params={"collection": "emptied"})).status_code == 404
        assert (await enroll_shared(1, collection="emptied")).status_code == 201

    async def test_not_under_an_enrolment(self, shared_client: httpx.AsyncClient) -> None:
        """It waits for those under way, so that no camera is made in a collection that is gone a moment later."""
        runtime = _runtime(shared_client)
        await shared_client.post("/collections", json={"name": "raced"})
        async with runtime.database.transaction() as session:
            found = await CollectionRepository(session).ensure_collection("raced", runtime.embedder.model_id)
            deleting = asyncio.create_task(shared_client.delete("/collections/raced"))
            await asyncio.sleep(0.3)
            assert not deleting.done()
            await CameraRepository(session).ensure(found.id, {"camera-1"})
        assert (await asyncio.wait_for(deleting, 10)).status_code == 204
        assert (await shared_client.get("/collections/raced")).status_code == 404
