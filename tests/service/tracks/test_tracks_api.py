"""Tracks over HTTP."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio(loop_scope="module")

Post = Callable[..., Awaitable[httpx.Response]]

CROPS = [
    ("a", "s", "1", "2026-01-01T10:00:05Z", "v"),
    ("a", "s", "1", "2026-01-01T10:00:00Z", None),
    ("a", "s", "1", "2026-01-01T10:00:03Z", "w"),
    ("a", None, "1", "2026-01-01T12:00:00Z", None),
    ("a", "r", "1", "2026-01-02T10:00:00Z", "v"),
    ("b", "s", "1", None, None),
    ("b", "s", "2", "2026-01-01T10:00:00Z", None),
    ("b", "s", "1", "2026-01-01T11:00:00Z", None),
    ("b", "s", None, "2026-01-01T10:00:00Z", "v"),
    ("B", None, "ä", None, None),
]
ORDER = [("B", None, "ä"), ("a", "r", "1"), ("a", "s", "1"), ("a", None, "1"), ("b", "s", "1"), ("b", "s", "2")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crops(enroll_shared: Post, make_jpeg: Callable[..., bytes]) -> list[str]:
    """Ids of `CROPS`, in their order; the second has the largest picture."""
    names = ("camera_id", "session_id", "track_id", "captured_at", "vehicle_id")
    items = [{name: value for name, value in zip(names, crop, strict=True) if value is not None} for crop in CROPS]
    pictures = [make_jpeg(number, (120, 100) if number == 1 else (96, 64)) for number in range(len(CROPS))]
    await enroll_shared(1, collection="other", items=[{"camera_id": "a", "session_id": "s", "track_id": "1"}])
    answer = await enroll_shared(*pictures, collection="tracks", items=items)
    return [item["id"] for item in answer.json()["items"]]


async def _all(client: httpx.AsyncClient, limit: int, **query: object) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []
    cursor = None
    while True:
        asked = {"collection": "tracks", "limit": limit, **query} | ({"cursor": cursor} if cursor else {})
        answer = await client.get("/tracks", params=asked)
        assert answer.status_code == 200, answer.text
        seen += answer.json()["items"]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return seen


def _key(track: dict[str, Any]) -> tuple[str, str | None, str]:
    return track["camera_id"], track["session_id"], track["track_id"]


@pytest.mark.usefixtures("crops")
class TestList:
    @pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 1000])
    async def test_pages_in_the_order_of_their_keys(self, shared_client: httpx.AsyncClient, limit: int) -> None:
        assert [_key(track) for track in await _all(shared_client, limit)] == ORDER

    async def test_a_track_is_summed_up(self, shared_client: httpx.AsyncClient, crops: list[str]) -> None:
        tracks = {_key(track): track for track in await _all(shared_client, 100)}
        assert tracks["a", "s", "1"] == {
            "camera_id": "a",
            "session_id": "s",
            "track_id": "1",
            "crops": 3,
            "first_captured_at": "2026-01-01T10:00:00Z",
            "last_captured_at": "2026-01-01T10:00:05Z",
            "span_s": 5.0,
            "vehicle_ids": ["v", "w"],
            "best_crop_id": crops[1],
        }
        assert tracks["b", "s", "1"]["span_s"] == 0
        assert tracks["B", None, "ä"]["span_s"] is None
        assert tracks["B", None, "ä"]["vehicle_ids"] == []

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({"camera_ids": "b"}, ORDER[4:]),
            ({"exclude_camera_ids": ["a", "B"]}, ORDER[4:]),
            ({"session_id": "s"}, [ORDER[2], *ORDER[4:]]),
            ({"from": "2026-01-01T10:00:04Z", "to": "2026-01-01T11:00:00Z"}, [ORDER[2]]),
            ({"from": "2026-01-02T00:00:00Z"}, [ORDER[1]]),
            ({"vehicle_ids": "v"}, [ORDER[1], ORDER[2]]),
            ({"session_id": "q"}, []),
        ],
    )
    async def test_conditions(
        self, shared_client: httpx.AsyncClient, query: dict[str, str], expected: list[object]
    ) -> None:
        tracks = await _all(shared_client, 1, **query)
        assert [_key(track) for track in tracks] == expected
        whole = {_key(track): track for track in await _all(shared_client, 100)}
        assert all(track == whole[_key(track)] for track in tracks)

    @pytest.mark.parametrize("cursor", ["x", "W10=", "WzFd", "WyJhIixudWxsLG51bGxd", "WyJhIiwicyIsIlx1MDAwMCJd", "é"])
    async def test_a_cursor_of_somebody_else(self, shared_client: httpx.AsyncClient, cursor: str) -> None:
        answer = await shared_client.get("/tracks", params={"collection": "tracks", "cursor": cursor})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_value")


class TestOne:
    @pytest.mark.parametrize("limit", [1, 2, 3])
    async def test_its_crops_are_in_time_order(
        self, shared_client: httpx.AsyncClient, crops: list[str], limit: int
    ) -> None:
        for key, expected in [
            (("a", "s", "1"), [crops[1], crops[2], crops[0]]),
            (("a", None, "1"), [crops[3]]),
            (("b", "s", "1"), [crops[7], crops[5]]),
        ]:
            named = {k: v for k, v in zip(("camera_id", "session_id", "track_id"), key, strict=True) if v is not None}
            seen, cursor = [], None
            while True:
                query = {"collection": "tracks", "limit": limit, **named} | ({"cursor": cursor} if cursor else {})
                answer = (await shared_client.get("/tracks/one", params=query)).json()
                assert _key(answer["track"]) == key
                assert answer["best_crop"]["id"] == answer["track"]["best_crop_id"]
                seen += [crop["id"] for crop in answer["items"]]
                cursor = answer["next_cursor"]
                if cursor is None:
                    break
            assert seen == expected

    @pytest.mark.usefixtures("crops")
    @pytest.mark.parametrize(
        ("query", "status"),
        [
            ({"camera_id": "a", "session_id": "s", "track_id": "2"}, 404),
            ({"camera_id": "b", "track_id": "1"}, 404),
            ({"camera_id": "a", "track_id": "1", "collection": "nothing"}, 404),
            ({"camera_id": "a"}, 422),
            ({"camera_id": "a", "track_id": "1", "cursor": "WyJ4IiwieCJd"}, 422),
            ({"camera_id": "a", "track_id": "1", "cursor": "W251bGwsbnVsbF0="}, 422),
        ],
    )
    async def test_what_is_not_there(
        self, shared_client: httpx.AsyncClient, query: dict[str, str], status: int
    ) -> None:
        answer = await shared_client.get("/tracks/one", params={"collection": "tracks", **query})
        assert answer.status_code == status
