"""GET /stats: every count is that of what there is."""

from collections.abc import Awaitable, Callable

import httpx
from sqlalchemy import update

from service.database.tables import Crop, Vehicle
from service.stats.repository import StatsRepository

Post = Callable[..., Awaitable[httpx.Response]]


async def test_counts_of_each_collection(client: httpx.AsyncClient, enroll: Post) -> None:
    items = [
        {"camera_id": "a", "session_id": "s", "track_id": "1", "captured_at": "2026-01-01T10:00:00Z"},
        {"camera_id": "a", "session_id": "s", "track_id": "1", "captured_at": "2026-01-02T10:00:00Z"},
        {"camera_id": "a", "track_id": "1"},
        {"camera_id": "b", "session_id": "s", "track_id": "1"},
        {"camera_id": "b", "session_id": "s"},
    ]
    crops = (await enroll(*range(5), collection="city", items=items)).json()["items"]
    await client.post("/cameras", json={"collection": "city", "camera_id": "c"})
    await client.post("/collections", json={"name": "empty", "codec": "rabitq"})
    await client.patch("/collections/city", json={"codec": "rabitq"})
    runtime = client._transport.app.state.runtime
    async with runtime.database.transaction() as session:
        await session.execute(update(Crop).where(Crop.id == crops[0]["id"]).values(has_image=False))
        city = (await session.get_one(Crop, crops[0]["id"])).collection_id
        session.add_all(Vehicle(collection_id=city, vehicle_id=name, attributes={}) for name in ("v", "w"))
    await runtime.follower.wait_for(runtime.follower.committed, 5)
    answer = (await client.get("/stats")).json()
    city_stats, empty_stats = answer["items"]
    index = city_stats.pop("index")
    assert city_stats == {
        "name": "city",
        "model_id": runtime.embedder.model_id,
        "crops": 5,
        "images": 4,
        "cameras": 3,
        "tracks": 3,
        "vehicles": 2,
        "first_captured_at": "2026-01-01T10:00:00Z",
        "last_captured_at": "2026-01-02T10:00:00Z",
    }
    assert (index["crops"], index["codec"], index["mode"]) == (5, "rabitq", "approximate")
    assert (empty_stats["name"], empty_stats["crops"], empty_stats["tracks"]) == ("empty", 0, 0)
    assert empty_stats["index"] is None
    assert answer["index"]["ready"] is True
    assert 0 <= answer["index"]["lag_s"] < 60


async def test_pages_and_only_what_a_key_is_bound_to(client: httpx.AsyncClient, enroll: Post) -> None:
    for name in ("a", "b", "c"):
        await enroll(1, collection=name)
    first = (await client.get("/stats", params={"limit": 2})).json()
    rest = (await client.get("/stats", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [one["name"] for one in first["items"] + rest["items"]] == ["a", "b", "c"]
    assert {one["index"]["mode"] for one in first["items"]} == {"exact"}
    assert rest["next_cursor"] is None
    async with client._transport.app.state.runtime.database.reading() as session:
        bound, cursor = await StatsRepository(session).page(frozenset({"b", "d"}), limit=1, cursor=None)
    assert ([one.name for one in bound], cursor) == (["b"], None)


async def test_an_index_that_is_being_built_is_said_to_be(client: httpx.AsyncClient, enroll: Post) -> None:
    await enroll(1)
    follower = client._transport.app.state.runtime.follower
    await follower.stop()
    follower._followed.withdraw("a test says so")
    answer = (await client.get("/stats")).json()
    assert answer["index"]["ready"] is False
    assert (answer["items"][0]["crops"], answer["items"][0]["index"]) == (1, None)
