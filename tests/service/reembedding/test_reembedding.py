"""A collection moves to the loaded model: whole, beside those who use it, and not at all where pictures are missing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text
from support.traces import files_with, traces_of_id

from service.jobs.runner import JobRhythm
from service.jobs.work import work_of
from service.reembedding.pictures import StoredPictures
from service.runtime import Runtime
from service.settings import Settings

Serve = Callable[..., AbstractAsyncContextManager[tuple[httpx.AsyncClient, Runtime]]]
MakeJpeg = Callable[..., bytes]


@pytest.fixture
def serving(
    serve: Callable[[Settings], AbstractAsyncContextManager[httpx.AsyncClient]],
    make_settings: Callable[..., Settings],
    postgres_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Serve:
    """Runs a service on the test's database and folder; jobs do not dawdle."""
    monkeypatch.setattr("service.jobs.handle.WRITTEN_EVERY_S", 0)

    @asynccontextmanager
    async def run(**changes: object) -> AsyncIterator[tuple[httpx.AsyncClient, Runtime]]:
        settings = make_settings(database_url=postgres_url).model_copy(update=changes)
        async with serve(settings) as client:
            runtime: Runtime = client._transport.app.state.runtime  # type: ignore[attr-defined]
            runtime.jobs._rhythm = JobRhythm(poll_s=0.02, beat_s=0.05, lost_s=5, retry_s=0.05)
            yield client, runtime

    return run


async def enroll(client: httpx.AsyncClient, make_jpeg: MakeJpeg, seeds: Sequence[int]) -> httpx.Response:
    files = [("images", ("crop", make_jpeg(seed))) for seed in seeds]
    return await client.post("/gallery", files=files, data={"camera_id": "camera-1"})


async def enrolled(client: httpx.AsyncClient, make_jpeg: MakeJpeg, seeds: Sequence[int]) -> list[str]:
    answer = await enroll(client, make_jpeg, seeds)
    assert answer.status_code == 201, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def best_of(client: httpx.AsyncClient, picture: bytes) -> tuple[str, float]:
    answer = await client.post("/search", files=[("images", ("query", picture))], data={"group_by": "crop"})
    assert answer.status_code == 200, answer.text
    hit = answer.json()["hits"][0]
    return hit["crop"]["id"], hit["score"]


async def ask(client: httpx.AsyncClient, **fields: object) -> str:
    asked = {"kind": "reembed_collection", "collection": "default", **fields}
    answer = await client.post("/jobs", json=asked)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def ended(client: httpx.AsyncClient, job_id: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            job: dict[str, Any] = (await client.get(f"/jobs/{job_id}")).json()
            if job["finished_at"] is not None:
                return job
            await asyncio.sleep(0.02)


async def model_of(client: httpx.AsyncClient) -> str:
    return str((await client.get("/collections/default")).json()["model_id"])


async def test_a_collection_is_searched_with_the_new_model(
    serving: Serve, other_weights: Path, make_jpeg: MakeJpeg
) -> None:
    async with serving() as (client, _):
        crops = await enrolled(client, make_jpeg, range(5))
    async with serving(weights=other_weights) as (client, runtime):
        assert (await enroll(client, make_jpeg, [9])).json()["code"] == "model_mismatch"
        job = await ended(client, await ask(client))
        assert (job["state"], job["done"], job["total"], job["error"]) == ("succeeded", 5, 5, None)
        assert job["result"] == {"model_id": runtime.embedder.model_id, "embedded": 5, "dropped": 0}
        assert await model_of(client) == runtime.embedder.model_id
        best, score = await best_of(client, make_jpeg(3))
        assert (best, score) == (crops[3], pytest.approx(1, abs=1e-3))
        assert (await enroll(client, make_jpeg, [9])).status_code == 201
        await runtime.follower.reconcile()
        assert runtime.follower.status().drift is None
        again = await ended(client, await ask(client))
        assert (again["state"], again["result"]["embedded"]) == ("succeeded", 0)


async def test_crops_without_a_picture_keep_the_collection_where_it_is(
    serving: Serve, other_weights: Path, make_jpeg: MakeJpeg
) -> None:
    """One is missing, one is damaged, one was never kept."""
    async with serving() as (client, runtime):
        crops = await enrolled(client, make_jpeg, range(5))
        before = runtime.embedder.model_id
        await runtime.store.delete(UUID(crops[0]))
        await runtime.store.put(UUID(crops[1]), b"no picture")
        async with runtime.database.transaction() as session:
            await session.execute(text("UPDATE crops SET has_image = false WHERE id = :id"), {"id": crops[2]})
    async with serving(weights=other_weights) as (client, runtime):
        job = await ended(client, await ask(client))
        assert (job["state"], job["done"]) == ("failed", 5)
        assert "3 crops of 'default' have no picture that can be read" in job["error"]
        assert all(crop_id in job["error"] for crop_id in crops[:3])
        assert await model_of(client) == before
        assert len((await client.get("/gallery")).json()["items"]) == 5
        job = await ended(client, await ask(client, drop_without_picture=True))
        assert (job["state"], job["result"]["embedded"], job["result"]["dropped"]) == ("succeeded", 0, 3)
        assert [item["id"] for item in (await client.get("/gallery")).json()["items"]] == [crops[4], crops[3]]
        assert (await best_of(client, make_jpeg(0)))[0] in crops[3:]
        for crop_id in crops[:3]:
            assert files_with(runtime.settings.index_dir, traces_of_id(UUID(crop_id))) == set()
        assert {path.name for path in runtime.settings.crops_dir.glob("??/*")} == set(crops[3:])


async def test_it_goes_on_where_it_was_interrupted(
    serving: Serve, other_weights: Path, make_jpeg: MakeJpeg, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.reembedding.service.BATCH", 2)
    seen: list[UUID] = []
    embed = StoredPictures.embed

    async def counted(pictures: StoredPictures, crop_ids: Sequence[UUID]) -> Any:
        found = await embed(pictures, crop_ids)
        seen.extend(crop_ids)
        if len(seen) == 4:
            raise asyncio.CancelledError
        return found

    async with serving() as (client, _):
        crops = await enrolled(client, make_jpeg, range(7))
    monkeypatch.setattr("service.reembedding.service.LATE", 0)
    monkeypatch.setattr(StoredPictures, "embed", counted)
    async with serving(weights=other_weights) as (client, _):
        job = await ended(client, await ask(client))
    assert (job["state"], job["done"], job["total"]) == ("succeeded", 7, 7)
    assert [str(crop_id) for crop_id in seen] == crops[:4] + crops[2:4] + crops[4:]


async def test_enrolments_with_the_old_model_go_on_until_the_switch(
    serving: Serve, other_weights: Path, make_jpeg: MakeJpeg, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever was acknowledged has a vector of the new model; whatever comes later is refused."""
    monkeypatch.setattr("service.reembedding.service.BATCH", 2)
    async with serving() as (old, _):
        acknowledged = await enrolled(old, make_jpeg, range(6))
        own_index = {"data_dir": tmp_path / "other"}
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "crops").symlink_to(tmp_path / "data" / "crops")
        async with serving(weights=other_weights, **own_index) as (new, runtime):
            job_id = await ask(new)
            async with asyncio.timeout(60):
                while (answer := await enroll(old, make_jpeg, [len(acknowledged)])).status_code == 201:
                    acknowledged.append(answer.json()["items"][0]["id"])
                    assert (await old.get("/gallery")).status_code == 200
            assert answer.json()["code"] == "model_mismatch"
            assert (await ended(new, job_id))["state"] == "succeeded"
            async with runtime.database.reading() as session:
                made = text("SELECT crop_id::text FROM embeddings WHERE model_id = :model")
                found = await session.scalars(made, {"model": runtime.embedder.model_id})
                assert set(found) == set(acknowledged)
            await runtime.follower.reconcile()
            assert runtime.follower.status().drift is None


async def test_a_crop_that_is_deleted_meanwhile_stays_deleted(
    serving: Serve, other_weights: Path, make_jpeg: MakeJpeg, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed = StoredPictures.embed

    async def deleted_meanwhile(
        delete: Callable[[], Awaitable[object]], pictures: StoredPictures, crop_ids: Sequence[UUID]
    ) -> Any:
        found = await embed(pictures, crop_ids)
        await delete()
        return found

    async with serving() as (client, _):
        crops = await enrolled(client, make_jpeg, range(20))
    async with serving(weights=other_weights) as (client, runtime):
        delete = partial(client.delete, f"/gallery/{crops[1]}")
        monkeypatch.setattr(
            StoredPictures, "embed", lambda pictures, crop_ids: deleted_meanwhile(delete, pictures, crop_ids)
        )
        job = await ended(client, await ask(client))
        assert job["state"] == "succeeded"
        assert len((await client.get("/gallery")).json()["items"]) == 19
        assert runtime.follower.index.stats().crops == 19


async def test_an_index_is_built_anew(serving: Serve, make_jpeg: MakeJpeg) -> None:
    async with serving() as (client, runtime):
        crops = await enrolled(client, make_jpeg, range(3))
        before = runtime.follower.status().rebuild
        asked = await client.post("/jobs", json={"kind": "rebuild_index"})
        job = await ended(client, asked.json()["id"])
        assert (job["state"], job["done"], job["total"], job["collection"]) == ("succeeded", 3, 3, None)
        assert job["result"]["crops"] == 3
        rebuild = runtime.follower.status().rebuild
        assert rebuild is not None
        assert rebuild is not before
        assert rebuild.reason == "an administrator asked for it"
        assert (await best_of(client, make_jpeg(2)))[0] == crops[2]


async def test_jobs_that_wait_are_done_after_a_restart(serving: Serve, make_jpeg: MakeJpeg) -> None:
    async with serving() as (client, runtime):
        await enrolled(client, make_jpeg, range(3))
        await runtime.jobs.stop()
        job_id = await ask(client)
    async with serving() as (client, runtime):
        assert set(work_of(runtime)) == {
            "delete_crops",
            "delete_collection",
            "remove_images",
            "reembed_collection",
            "rebuild_index",
        }
        assert (await ended(client, job_id))["state"] == "succeeded"
