"""POST /gallery: what becomes of each image, and what is in the truth afterwards."""

import asyncio
import io
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.types import Message

from service.collections import images
from service.collections.repository import CollectionRepository
from service.crops.store import FileCropStore
from service.database.engine import Database
from service.database.tables import Change, Collection, Crop, Embedding
from service.embedding import Lane
from service.errors import UnavailableError
from service.gallery.repository import GalleryRepository
from service.runtime import Runtime

Post = Callable[..., Awaitable[httpx.Response]]

NOT_AN_IMAGE = b"this is no image"


def files_in(folder: Path) -> int:
    """Stored pictures."""
    return sum(1 for _ in (folder / "data" / "crops").glob("??/*"))


def client_runtime(client: httpx.AsyncClient) -> Runtime:
    return client._transport.app.state.runtime


async def counts(database: Database) -> tuple[int, int, int]:
    async with database.reading() as session:
        return tuple(
            [await session.scalar(select(func.count()).select_from(table)) for table in (Crop, Embedding, Change)]
        )


class TestEnrolled:
    async def test_answer(self, enroll: Post, client: httpx.AsyncClient) -> None:
        answer = await enroll(1, 2, camera_id="gate")
        assert answer.status_code == 201
        body = answer.json()
        assert [(item["index"], item["status"], item["code"], item["reason"]) for item in body["items"]] == [
            (0, "enrolled", None, None),
            (1, "enrolled", None, None),
        ]
        assert body["items"][0]["id"] < body["items"][1]["id"]
        assert body["sequence"] == 2
        assert body["model_id"].startswith("tiny-")

    async def test_every_field_is_kept(self, enroll: Post, client: httpx.AsyncClient) -> None:
        fields = {
            "camera_id": "gate-north",
            "captured_at": "2026-11-23T09:30:00+01:00",
            "session_id": "monday",
            "track_id": "17",
            "vehicle_id": "vehicle 5",
            "external_id": "frame/12",
            "attributes": '{"colour": "red", "axles": 2, "weight": 1.5, "taxi": true, "plate": null}',
            "bbox": "[-3, 20.5, 220, 160]",
            "collection": "city",
        }
        (item,) = (await enroll(1, **fields)).json()["items"]
        crop = (await client.get(f"/gallery/{item['id']}")).json()
        created = datetime.fromisoformat(crop.pop("created_at"))
        assert abs(datetime.now(UTC) - created) < timedelta(minutes=1)
        assert crop == {
            **fields,
            "id": item["id"],
            "captured_at": "2026-11-23T08:30:00Z",
            "attributes": {"colour": "red", "axles": 2, "weight": 1.5, "taxi": True, "plate": None},
            "bbox": [-3, 20.5, 220, 160],
            "media_type": "image/jpeg",
            "width": 96,
            "height": 64,
            "has_image": True,
            "vehicle_confirmed": False,
        }

    async def test_items_override_the_common_fields(self, enroll: Post, client: httpx.AsyncClient) -> None:
        answer = await enroll(
            1,
            2,
            3,
            camera_id="common",
            track_id="7",
            items=[None, {"camera_id": "own", "attributes": {"lane": 2}}, {"track_id": None}],
        )
        crops = [(await client.get(f"/gallery/{item['id']}")).json() for item in answer.json()["items"]]
        assert [(crop["camera_id"], crop["track_id"], crop["attributes"]) for crop in crops] == [
            ("common", "7", {}),
            ("own", "7", {"lane": 2}),
            ("common", None, {}),
        ]

    async def test_the_truth_is_whole(
        self, enroll: Post, client: httpx.AsyncClient, database: Database, make_jpeg: Callable[..., bytes]
    ) -> None:
        items = (await enroll(1, 2, 3)).json()["items"]
        assert await counts(database) == (3, 3, 3)
        runtime = client_runtime(client)
        for seed, item in enumerate(items, start=1):
            crop_id = UUID(item["id"])
            assert await runtime.store.get(crop_id) == make_jpeg(seed)
            async with database.reading() as session:
                stored = (await session.scalars(select(Embedding).where(Embedding.crop_id == crop_id))).one()
            pixels = runtime.embedder.prepare(Image.open(io.BytesIO(make_jpeg(seed))))
            expected = runtime.embedder.embed(pixels[None])[0]
            assert stored.model_id == runtime.embedder.model_id
            assert np.frombuffer(stored.vector, "<f2") == pytest.approx(expected, abs=1e-3)

    async def test_sixty_four_are_taken_sixty_five_are_not(self, enroll: Post) -> None:
        assert len((await enroll(*range(64))).json()["items"]) == 64
        refused = await enroll(*range(65))
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == "images"

    async def test_concurrent_requests_keep_their_crops_apart(self, enroll: Post, client: httpx.AsyncClient) -> None:
        answers = await asyncio.gather(*(enroll(seed, seed + 100, camera_id=f"camera-{seed}") for seed in range(8)))
        for seed, answer in enumerate(answers):
            for item in answer.json()["items"]:
                assert (await client.get(f"/gallery/{item['id']}")).json()["camera_id"] == f"camera-{seed}"


class TestRejected:
    @pytest.mark.parametrize(
        ("fields", "word"),
        [
            ({"camera_id": None}, "camera_id"),
            ({"captured_at": "2026-11-23T08:30:00"}, "time zone"),
            ({"attributes": '{"speed": NaN}'}, "NaN"),
            ({"attributes": '{"nul": "a\\u0000b"}', "bbox": "[0, 0, 1e999, 5]"}, "bbox"),
        ],
    )
    async def test_bad_fields(self, enroll: Post, database: Database, fields: dict[str, str], word: str) -> None:
        answer = await enroll(1, **fields)
        assert answer.status_code == 422
        assert answer.json()["code"] == "all_rejected"
        (error,) = answer.json()["errors"]
        assert (error["index"], error["code"]) == (0, "invalid_value")
        assert word in error["detail"]
        assert await counts(database) == (0, 0, 0)

    async def test_bad_images_and_fields_fail_alone(
        self, enroll: Post, client: httpx.AsyncClient, make_jpeg: Callable[..., bytes]
    ) -> None:
        pictures = [
            make_jpeg(0),
            NOT_AN_IMAGE,
            make_jpeg(2)[:-200],
            b"",
            make_jpeg(4),
            make_jpeg(5, (4, 4)),
            make_jpeg(6),
        ]
        items = [{}, {}, {}, {}, {"captured_at": "2026-11-23T08:30:00"}, {}, {"attributes": {"a": 1}}]
        answer = await enroll(*pictures, items=items)
        assert answer.status_code == 201
        assert [(item["status"], item["code"]) for item in answer.json()["items"]] == [
            ("enrolled", None),
            ("rejected", "unsupported_image_type"),
            ("rejected", "undecodable_image"),
            ("rejected", "undecodable_image"),
            ("rejected", "invalid_value"),
            ("rejected", "undecodable_image"),
            ("enrolled", None),
        ]
        assert all(item["reason"] for item in answer.json()["items"] if item["status"] == "rejected")
        assert len((await client.get("/gallery")).json()["items"]) == 2

    async def test_the_longest_names_are_stored_and_longer_ones_fail_alone(self, enroll: Post) -> None:
        def names(length: int) -> dict[str, str]:
            fields = ("camera_id", "session_id", "track_id", "vehicle_id", "external_id")
            # Random, because PostgreSQL compresses what repeats; four bytes each in UTF-8.
            codes = np.random.default_rng(0).integers(0x20000, 0x2A000, (len(fields), length))
            return {field: "".join(map(chr, row)) for field, row in zip(fields, codes, strict=True)}

        answer = await enroll(1, 2, items=[names(192), names(256)])
        assert answer.status_code == 201, answer.text
        assert [item["status"] for item in answer.json()["items"]] == ["enrolled", "rejected"]
        assert "camera_id: may have 768 bytes" in answer.json()["items"][1]["reason"]
        longest = names(192)
        assert (await enroll(3, collection=longest["vehicle_id"], items=[longest])).status_code == 201

    async def test_nan_in_one_of_the_items(self, enroll: Post) -> None:
        answer = await enroll(1, 2, items='[{"attributes": {"speed": NaN}}, {}]')
        assert [item["status"] for item in answer.json()["items"]] == ["rejected", "enrolled"]

    async def test_unknown_and_odd_items_fail_alone(self, enroll: Post) -> None:
        answer = await enroll(1, 2, 3, 4, items=[{"camera": "a"}, "text", {"track_id": 7}, {}])
        assert [item["status"] for item in answer.json()["items"]] == ["rejected", "rejected", "rejected", "enrolled"]
        assert "camera: is not a field" in answer.json()["items"][0]["reason"]

    async def test_all_rejected_names_each(self, enroll: Post, tmp_path: Path) -> None:
        answer = await enroll(NOT_AN_IMAGE, b"")
        assert answer.status_code == 422
        assert [(error["index"], error["code"]) for error in answer.json()["errors"]] == [
            (0, "unsupported_image_type"),
            (1, "undecodable_image"),
        ]
        assert files_in(tmp_path) == 0

    async def test_items_that_do_not_match_the_images(self, enroll: Post) -> None:
        for items in ([{}], [{}, {}, {}], {}, 5):
            answer = await enroll(1, 2, items=items)
            assert answer.status_code == 422
            assert "items" in answer.json()["detail"]

    @pytest.mark.parametrize("field", ["items", "attributes", "bbox"])
    async def test_what_is_no_json(self, enroll: Post, field: str) -> None:
        for text in ("{", "[" * 100_000, "1" * 5000):
            answer = await enroll(1, **{field: text})
            assert answer.status_code == 400
            assert answer.json()["code"] == "malformed_request"
            assert field in answer.json()["detail"]

    async def test_unknown_form_fields_are_not_ignored(self, enroll: Post) -> None:
        answer = await enroll(1, captured="2026-11-23T08:30:00Z")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "captured"

    async def test_clocks_may_differ_a_little(self, enroll: Post) -> None:
        for seconds, status in ((30, 201), (90, 422)):
            captured_at = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
            assert (await enroll(1, captured_at=captured_at)).status_code == status


class TestExternalIds:
    async def test_the_same_again_is_a_duplicate(self, enroll: Post, database: Database, tmp_path: Path) -> None:
        first = (await enroll(1, external_id="a")).json()
        again = await enroll(1, external_id="a")
        assert again.status_code == 201
        assert again.json()["items"] == [{**first["items"][0], "status": "duplicate"}]
        assert again.json()["sequence"] == first["sequence"]
        assert await counts(database) == (1, 1, 1)
        assert files_in(tmp_path) == 1

    async def test_another_image_is_a_conflict(self, enroll: Post, database: Database, tmp_path: Path) -> None:
        await enroll(1, external_id="a")
        answer = await enroll(2, external_id="a")
        assert answer.status_code == 409
        assert answer.json()["code"] == "external_id_conflict"
        assert await counts(database) == (1, 1, 1)
        assert files_in(tmp_path) == 1

    async def test_a_conflict_beside_others(self, enroll: Post) -> None:
        await enroll(1, external_id="a")
        mixed = await enroll(2, 3, items=[{"external_id": "a"}, {"external_id": "b"}])
        assert [item["code"] for item in mixed.json()["items"]] == ["external_id_conflict", None]
        rejected = await enroll(2, NOT_AN_IMAGE, items=[{"external_id": "a"}, {}])
        assert rejected.status_code == 422

    async def test_collections_do_not_share_ids(self, enroll: Post) -> None:
        await enroll(1, external_id="a")
        answer = await enroll(2, external_id="a", collection="other")
        assert answer.json()["items"][0]["status"] == "enrolled"

    async def test_twice_in_one_request(self, enroll: Post, database: Database) -> None:
        answer = await enroll(NOT_AN_IMAGE, 1, 1, 2, external_id="a")
        items = answer.json()["items"]
        assert [(item["status"], item["code"]) for item in items] == [
            ("rejected", "unsupported_image_type"),
            ("enrolled", None),
            ("duplicate", None),
            ("rejected", "external_id_conflict"),
        ]
        assert items[1]["id"] == items[2]["id"]
        assert await counts(database) == (1, 1, 1)

    async def test_a_conflict_twice_in_one_request_has_two_entries(self, enroll: Post) -> None:
        await enroll(1, external_id="a")
        answer = await enroll(2, 2, external_id="a")
        assert answer.status_code == 409
        assert [(error["index"], error["code"]) for error in answer.json()["errors"]] == [
            (0, "external_id_conflict"),
            (1, "external_id_conflict"),
        ]

    async def test_a_race_for_one_id_has_one_winner(self, enroll: Post, database: Database, tmp_path: Path) -> None:
        answers = await asyncio.gather(*(enroll(1, external_id="a") for _ in range(6)))
        items = [answer.json()["items"][0] for answer in answers]
        assert sorted(item["status"] for item in items) == ["duplicate"] * 5 + ["enrolled"]
        assert len({item["id"] for item in items}) == 1
        assert await counts(database) == (1, 1, 1)
        assert files_in(tmp_path) == 1

    async def test_losers_of_a_race_leave_no_cameras(self, enroll: Post, client: httpx.AsyncClient) -> None:
        def items(camera: int) -> list[dict[str, str]]:
            own = [{"external_id": f"own-{camera}", "camera_id": "of all"}]
            return own + [{"external_id": f"crop-{one}", "camera_id": f"camera-{camera}-{one}"} for one in range(3)]

        answers = await asyncio.gather(*(enroll(camera, 1, 2, 3, items=items(camera)) for camera in range(8)))
        assert [answer.status_code for answer in answers] == [201] * 8
        cameras = (await client.get("/cameras")).json()["items"]
        assert sum(camera["crops"] for camera in cameras) == 8 + 3
        assert len(cameras) == 1 + 3
        assert all(camera["crops"] for camera in cameras)


class TestQualityFloor:
    async def test_what_shows_less_is_refused_with_what_was_measured(
        self, enroll: Post, client: httpx.AsyncClient, make_jpeg: Callable[..., bytes], database: Database
    ) -> None:
        floor = {"min_width": 60, "min_height": 40, "max_brightness": 0.9}
        await client.post("/collections", json={"name": "default", "quality_floor": floor})
        white = io.BytesIO()
        Image.new("RGB", (96, 64), "white").save(white, "PNG")
        answer = await enroll(1, make_jpeg(2, (59, 39)), white.getvalue())
        assert answer.status_code == 201
        good, small, bright = answer.json()["items"]
        assert good["status"] == "enrolled"
        assert (small["status"], small["code"], small["id"]) == ("rejected", "below_quality_floor", None)
        assert small["reason"] == (
            "The width in pixels is 59, below the limit of 60. The height in pixels is 39, below the limit of 40."
        )
        assert bright["code"] == "below_quality_floor"
        assert "brightness is 1, above the limit of 0.9" in bright["reason"]
        assert await counts(database) == (1, 1, 1)

    async def test_what_was_enrolled_before_it_was_raised_is_still_a_duplicate(
        self, enroll: Post, client: httpx.AsyncClient
    ) -> None:
        enrolled = (await enroll(1, external_id="a")).json()["items"][0]
        await client.patch("/collections/default", json={"quality_floor": {"min_width": 1000}})
        again = (await enroll(1, external_id="a")).json()["items"][0]
        assert (again["status"], again["id"]) == ("duplicate", enrolled["id"])
        assert (await enroll(1)).json()["code"] == "all_rejected"


class TestWithoutPictures:
    @pytest.fixture
    async def imageless(self, client: httpx.AsyncClient) -> None:
        await client.post("/collections", json={"name": "default", "keep_images": False})

    @pytest.mark.usefixtures("imageless")
    async def test_a_picture_is_never_stored(
        self, enroll: Post, search: Post, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        async def put(*_: object) -> None:
            pytest.fail("the picture was stored")

        monkeypatch.setattr(FileCropStore, "put", put)
        crop_id = (await enroll(1, track_id="1")).json()["items"][0]["id"]
        assert files_in(tmp_path) == 0
        crop = (await client.get(f"/gallery/{crop_id}")).json()
        assert crop["has_image"] is False
        (hit,) = (await search(1)).json()["hits"]
        assert hit["crop"]["id"] == crop_id
        assert hit["score"] > 0.99
        assert hit["image_url"] is None
        picture = await client.get(f"/gallery/{crop_id}/image")
        assert (picture.status_code, picture.json()["code"]) == (404, "no_image")

    @pytest.mark.usefixtures("imageless")
    async def test_the_picture_still_decides_on_a_duplicate(self, enroll: Post) -> None:
        first = (await enroll(1, external_id="a")).json()["items"][0]
        again = (await enroll(1, external_id="a")).json()["items"][0]
        assert (again["status"], again["id"]) == ("duplicate", first["id"])
        assert (await enroll(2, external_id="a")).json()["code"] == "external_id_conflict"

    async def test_a_picture_stored_while_it_was_decided_is_removed(
        self, enroll: Post, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        await client.post("/collections", json={"name": "default"})
        put = FileCropStore.put

        async def decided_meanwhile(store: FileCropStore, crop_id: UUID, data: bytes) -> None:
            await put(store, crop_id, data)
            assert (await client.patch("/collections/default", json={"keep_images": False})).status_code == 200

        monkeypatch.setattr(FileCropStore, "put", decided_meanwhile)
        crop_id = (await enroll(1)).json()["items"][0]["id"]
        assert (await client.get(f"/gallery/{crop_id}")).json()["has_image"] is False
        assert files_in(tmp_path) == 0

    async def test_pictures_from_before_stay_until_they_are_removed(
        self, enroll: Post, search: Post, client: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(images, "BATCH", 2)
        crops = [item["id"] for item in (await enroll(1, 2, 3)).json()["items"]]
        await enroll(4, collection="other")
        await client.patch("/collections/default", json={"keep_images": False})
        assert (await client.get(f"/gallery/{crops[0]}/image")).status_code == 200
        runtime = client_runtime(client)
        async with runtime.database.reading() as session:
            collection = await CollectionRepository(session).collection("default")
        assert collection is not None
        steps: list[int] = []

        async def advance(removed: int) -> None:
            steps.append(removed)

        assert await images.count_images(runtime.database, collection.id) == 3
        assert await images.remove_images(runtime.database, runtime.store, collection.id, advance) == 3
        assert steps == [2, 3]
        assert await images.remove_images(runtime.database, runtime.store, collection.id, advance) == 0
        assert files_in(tmp_path) == 1
        for crop_id in crops:
            assert (await client.get(f"/gallery/{crop_id}/image")).json()["code"] == "no_image"
        assert {hit["crop"]["id"] for hit in (await search(1)).json()["hits"]} == set(crops)


class TestFailure:
    async def test_files_are_taken_back_when_the_rows_fail(
        self, enroll: Post, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fail(*_: object, **__: object) -> int:
            assert files_in(tmp_path) == 2
            raise UnavailableError("The database does not answer.", retry_after_s=1)

        monkeypatch.setattr(GalleryRepository, "log_changes", fail)
        answer = await enroll(1, 2)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "1"
        assert files_in(tmp_path) == 0
        assert await counts(database) == (0, 0, 0)

    async def test_no_row_without_its_file(
        self,
        enroll: Post,
        client: httpx.AsyncClient,
        database: Database,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        put = FileCropStore.put
        calls = 0

        async def second_fails(self: FileCropStore, crop_id: UUID, data: bytes) -> None:
            nonlocal calls
            calls += 1
            if calls == 2:
                raise UnavailableError("The crop store is full.", retry_after_s=1)
            await put(self, crop_id, data)

        monkeypatch.setattr(FileCropStore, "put", second_fails)
        assert (await enroll(1, 2, 3)).status_code == 503
        assert await counts(database) == (0, 0, 0)
        assert files_in(tmp_path) == 0
        assert (await enroll(1)).status_code == 201

    async def test_a_commit_of_unknown_outcome_keeps_the_files(
        self, enroll: Post, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        @asynccontextmanager
        async def lost_at_commit(self: Database) -> AsyncIterator[AsyncSession]:
            async with transaction(self) as session:
                yield session
            raise UnavailableError("The database does not answer.", retry_after_s=1)

        transaction = Database.transaction
        monkeypatch.setattr(Database, "transaction", lost_at_commit)
        assert (await enroll(1)).status_code == 503
        assert files_in(tmp_path) == 1

    async def test_no_connection_is_held_while_the_model_works(
        self, enroll: Post, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runtime = client_runtime(client)
        held = []
        embed = runtime.embedder.embed

        def watched(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
            held.append(runtime.database._engine.pool.checkedout())
            return embed(batch)

        monkeypatch.setattr(runtime.queue, "_embed", watched)
        await runtime.follower.stop()
        await enroll(1, external_id="a")
        assert held == [0]

    async def test_a_broken_model_is_no_fault_of_the_image(
        self, enroll: Post, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(_: object) -> None:
            raise RuntimeError("device lost")

        monkeypatch.setattr(client_runtime(client).queue, "_embed", broken)
        answer = await enroll(1, 2)
        assert answer.status_code == 503
        assert "device lost" not in answer.text

    async def test_overload_is_refused_with_retry_after(self, enroll: Post, client: httpx.AsyncClient) -> None:
        runtime = client_runtime(client)
        with runtime.queue.admit(Lane.ENROLMENT, runtime.settings.queue_crops):
            answer = await enroll(1)
        assert answer.status_code == 429
        assert int(answer.headers["Retry-After"]) >= 1
        assert (await enroll(1)).status_code == 201

    async def test_another_model_is_refused_before_any_work(
        self, enroll: Post, client: httpx.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def never(_: object) -> None:
            raise AssertionError("an image was read")

        monkeypatch.setattr(client_runtime(client).preparer, "prepare", never)
        async with database.transaction() as session:
            await CollectionRepository(session).ensure_collection("default", "another-model")
        for external_id in (None, "a"):
            answer = await enroll(1, external_id=external_id)
            assert (answer.status_code, answer.json()["code"]) == (409, "model_mismatch")

    async def test_duplicates_in_a_collection_of_another_model_are_refused_too(
        self, enroll: Post, database: Database
    ) -> None:
        assert (await enroll(1, external_id="a")).status_code == 201
        async with database.transaction() as session:
            await session.execute(update(Collection).values(model_id="another-model"))
        answer = await enroll(1, external_id="a")
        assert (answer.status_code, answer.json()["code"]) == (409, "model_mismatch")


class TestClientGone:
    async def test_work_of_a_client_that_left_is_dropped(
        self, client: httpx.AsyncClient, database: Database, make_jpeg: Callable[..., bytes]
    ) -> None:
        runtime = client_runtime(client)
        app = client._transport.app
        held, entered = threading.Event(), threading.Event()
        embed = runtime.queue._embed

        def slow(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
            entered.set()
            assert held.wait(10)
            return embed(batch)

        runtime.queue._embed = slow
        request = client.build_request(
            "POST", "/gallery", files=[("images", ("a", make_jpeg(1)))], data={"camera_id": "c"}
        )
        body = await request.aread()
        left = asyncio.Event()
        sent = False

        async def receive() -> Message:
            nonlocal sent
            if not sent:
                sent = True
                return {"type": "http.request", "body": body, "more_body": False}
            await left.wait()
            return {"type": "http.disconnect"}

        answers = []

        async def send(message: Message) -> None:
            answers.append(message)

        headers = [(key.lower(), value) for key, value in request.headers.raw]
        scope = {"type": "http", "method": "POST", "path": "/gallery", "raw_path": b"/gallery", "query_string": b""}
        scope |= {
            "headers": headers,
            "scheme": "http",
            "server": ("service", 80),
            "client": ("test", 1),
            "root_path": "",
        }
        call = asyncio.create_task(app(scope, receive, send))
        assert await asyncio.to_thread(entered.wait, 10)
        left.set()
        await asyncio.wait_for(call, 10)
        held.set()
        assert answers[0]["status"] == 499
        assert await counts(database) == (0, 0, 0)
