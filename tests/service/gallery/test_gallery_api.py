"""Reading and deleting crops over HTTP."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from PIL import Image

from service.gallery.service import crop_jpeg

pytestmark = pytest.mark.asyncio(loop_scope="module")

Post = Callable[..., Awaitable[httpx.Response]]


async def ids_of(client: httpx.AsyncClient, **query: object) -> list[str]:
    answer = await client.get("/gallery", params=query)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


class TestList:
    async def test_pages_newest_first(self, shared_client: httpx.AsyncClient, enroll_shared: Post) -> None:
        enrolled = [item["id"] for item in (await enroll_shared(*range(7), collection="paged")).json()["items"]]
        seen, cursor = [], None
        while True:
            query = {"collection": "paged", "limit": 3} | ({"cursor": cursor} if cursor else {})
            page = (await shared_client.get("/gallery", params=query)).json()
            assert len(page["items"]) <= 3
            seen += [item["id"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == enrolled[::-1]

    async def test_conditions(self, shared_client: httpx.AsyncClient, enroll_shared: Post) -> None:
        items = [
            {"camera_id": "a", "captured_at": "2026-01-01T10:00:00Z", "vehicle_id": "v1", "external_id": "e1"},
            {
                "camera_id": "b",
                "captured_at": "2026-01-01T11:00:00Z",
                "attributes": {"axles": 2, "taxi": True},
                "session_id": "s",
                "track_id": "1",
            },
            {"camera_id": "c", "attributes": {"axles": 2.0}, "track_id": "1"},
        ]
        answer = await enroll_shared(1, 2, 3, items=items, collection="conditions")
        a, b, c = (item["id"] for item in answer.json()["items"])
        for query, expected in [
            ({}, [c, b, a]),
            ({"camera_ids": ["a", "c"]}, [c, a]),
            ({"exclude_camera_ids": "a"}, [c, b]),
            ({"from": "2026-01-01T10:00:00Z", "to": "2026-01-01T11:00:00Z"}, [a]),
            ({"from": "2026-01-01T12:00:00+02:00"}, [b, a]),
            ({"to": "2026-01-01T10:00:00Z"}, []),
            ({"vehicle_ids": "v1"}, [a]),
            ({"attributes": '{"axles": 2}'}, [c, b]),
            ({"attributes": '{"axles": 2, "taxi": true}'}, [b]),
            ({"external_id": "e1"}, [a]),
            ({"external_id": "e2"}, []),
            ({"exclude_vehicle_ids": "v1"}, [c, b]),
            ({"tracks": '[{"camera_id": "b", "session_id": "s", "track_id": "1"}]'}, [b]),
            ({"tracks": '[{"camera_id": "c", "track_id": "1"}, {"camera_id": "a", "track_id": "1"}]'}, [c]),
            ({"exclude_tracks": '[{"camera_id": "b", "session_id": "s", "track_id": "1"}]'}, [c, a]),
            ({"exclude_tracks": '[{"camera_id": "b", "track_id": "1"}]'}, [c, b, a]),
        ]:
            assert await ids_of(shared_client, collection="conditions", **query) == expected, query

    @pytest.mark.parametrize(
        ("field", "value", "status", "said"),
        [
            ("tracks", "[", 400, "tracks: is not JSON"),
            ("tracks", "[]", 422, "names no track"),
            ("tracks", "{}", 422, "tracks"),
            ("tracks", '[{"camera_id": "a"}]', 422, "track_id: is required"),
            ("exclude_tracks", '[{"camera_id": "a", "track_id": "1", "x": 1}]', 422, "is not a field"),
            ("exclude_tracks", '[{"camera_id": "a", "track_id": "\\u0000"}]', 422, "control characters"),
            ("attributes", "[", 400, "attributes: is not JSON"),
        ],
    )
    async def test_a_condition_that_makes_no_sense_is_refused(
        self, shared_client: httpx.AsyncClient, field: str, value: str, status: int, said: str
    ) -> None:
        answer = await shared_client.get("/gallery", params={field: value})
        assert answer.status_code == status
        assert said in answer.json()["detail"]


class TestImage:
    @pytest_asyncio.fixture(loop_scope="module")
    async def crop_id(self, enroll_shared: Post, make_jpeg: Callable[..., bytes]) -> str:
        exif = Image.Exif()
        exif[0x0112] = 6
        exif[0x010E] = "a secret place"
        data = make_jpeg(1, (200, 100), exif=exif)
        return str((await enroll_shared(data, collection="images")).json()["items"][0]["id"])

    async def test_is_upright_shrunk_and_without_metadata(self, shared_client: httpx.AsyncClient, crop_id: str) -> None:
        for query, size in [("", (100, 200)), ("?size=50", (25, 50)), ("?size=4096", (100, 200))]:
            answer = await shared_client.get(f"/gallery/{crop_id}/image{query}")
            assert answer.headers["Content-Type"] == "image/jpeg"
            picture = Image.open(io.BytesIO(answer.content))
            assert picture.size == size
            assert not picture.getexif()
            assert b"secret" not in answer.content

    async def test_is_asked_for_again_but_not_sent_again(self, shared_client: httpx.AsyncClient, crop_id: str) -> None:
        first = await shared_client.get(f"/gallery/{crop_id}/image?size=50")
        assert "private" in first.headers["Cache-Control"]
        etag = first.headers["ETag"]
        again = await shared_client.get(
            f"/gallery/{crop_id}/image?size=50", headers={"If-None-Match": f'"x", W/{etag}'}
        )
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
        other = await shared_client.get(f"/gallery/{crop_id}/image?size=60", headers={"If-None-Match": etag})
        assert other.status_code == 200
        await shared_client.delete(f"/gallery/{crop_id}")
        gone = await shared_client.get(f"/gallery/{crop_id}/image?size=50", headers={"If-None-Match": etag})
        assert gone.status_code == 404

    async def test_viewers_beyond_the_limit_are_refused_and_searches_are_not_held_up(
        self,
        shared_client: httpx.AsyncClient,
        search_shared: Post,
        crop_id: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        runtime = shared_client._transport.app.state.runtime
        shown, read = asyncio.Event(), runtime.store.get

        async def slow(crop_id: UUID) -> bytes:
            await asyncio.wait_for(shown.wait(), 30)
            return await read(crop_id)

        monkeypatch.setattr(runtime.store, "get", slow)
        most = runtime.settings.queue_renditions
        waiting = [asyncio.create_task(crop_jpeg(runtime, UUID(crop_id), 50)) for _ in range(most)]
        try:
            await asyncio.sleep(0)
            refused = await asyncio.wait_for(shared_client.get(f"/gallery/{crop_id}/image?size=50"), 10)
            assert (refused.status_code, refused.json()["code"]) == (429, "overloaded")
            assert int(refused.headers["Retry-After"]) >= 1
            assert (await asyncio.wait_for(search_shared(1, collection="images"), 20)).status_code == 200
        finally:
            shown.set()
            assert len({len(picture) for picture in await asyncio.gather(*waiting)}) == 1
        assert (await shared_client.get(f"/gallery/{crop_id}/image?size=50")).status_code == 200

    @pytest.mark.parametrize("size", ["0", "-1", "15", "4097", "large", "1e3"])
    async def test_size_is_bounded(self, shared_client: httpx.AsyncClient, crop_id: str, size: str) -> None:
        assert (await shared_client.get(f"/gallery/{crop_id}/image?size={size}")).status_code == 422
