"""Cameras over HTTP."""

from collections.abc import Awaitable, Callable

import httpx

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
    assert first["items"] == [
        {"camera_id": "a", "crops": 1, "first_captured_at": None, "last_captured_at": None},
        {
            "camera_id": "b",
            "crops": 2,
            "first_captured_at": "2026-01-01T00:00:00Z",
            "last_captured_at": "2026-01-02T00:00:00Z",
        },
    ]
    second = (await client.get("/cameras", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [(camera["camera_id"], camera["crops"]) for camera in second["items"]] == [("c", 0)]
    assert second["next_cursor"] is None
