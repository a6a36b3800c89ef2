"""Deleting over HTTP: acknowledged when nothing is left, of these crops and of no others."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import select, text, update
from support.traces import files_with, traces_in_segments, traces_of_id, traces_of_vector
from support.vectors import unit_rows

from service.access import Caller
from service.crops.removal import PictureRemover
from service.database.tables import AuditEntry, Crop, Embedding, PictureToRemove
from service.database.vectors import decode
from service.deletion import erasing
from service.deletion.repository import DeletionRepository
from service.deletion.schemas import DeletionRequest
from service.deletion.service import delete_crop, delete_crops
from service.errors import ForbiddenError, NotFoundError
from service.gallery.repository import GalleryRepository
from service.jobs.runner import JobRhythm
from service.jobs.work import work_of
from service.runtime import Runtime

pytestmark = pytest.mark.asyncio(loop_scope="module")

Post = Callable[..., Awaitable[httpx.Response]]


@pytest_asyncio.fixture(loop_scope="module")
async def runtime(shared_client: httpx.AsyncClient) -> AsyncIterator[Runtime]:
    """The parts of the service; its jobs do not dawdle."""
    runtime: Runtime = shared_client._transport.app.state.runtime
    runtime.jobs._rhythm = JobRhythm(poll_s=0.02, beat_s=0.05, lost_s=5, retry_s=0.05)
    yield runtime


async def enrolled(enroll: Post, *pictures: int | bytes, **fields: object) -> list[str]:
    answer = await enroll(*pictures, **fields)
    assert answer.status_code == 201, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def left_in(client: httpx.AsyncClient, collection: str) -> list[str]:
    answer = await client.get("/gallery", params={"collection": collection})
    return [item["id"] for item in answer.json()["items"]]


async def ended(client: httpx.AsyncClient, answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == f"/jobs/{answer.json()['id']}"
    async with asyncio.timeout(20):
        while True:
            job: dict[str, Any] = (await client.get(answer.headers["Location"])).json()
            if job["finished_at"] is not None:
                return job
            await asyncio.sleep(0.02)


async def in_files(runtime: Runtime) -> None:
    """Let the index write all that is enrolled to files."""
    async with runtime.database.reading() as session:
        assert await runtime.follower.wait_for(await GalleryRepository(session).head(), 10)
    await runtime.follower.ask(lambda index: index.snapshot())


async def traces_of(runtime: Runtime, crop_id: str, picture: bytes) -> set[bytes]:
    """Every form in which a crop is in files: picture, vector, codes and id."""
    identity = UUID(crop_id)
    async with runtime.database.reading() as session:
        stored = (await session.scalars(select(Embedding.vector).where(Embedding.crop_id == identity))).one()
    vector = traces_of_vector(decode(stored)) | {stored}
    return {picture} | vector | traces_of_id(identity) | traces_in_segments(runtime.settings.index_dir, identity)


def found(runtime: Runtime, traces: set[bytes]) -> set[str]:
    """Where any of them is left: parts of the data folder, or a name of a file."""
    folder = runtime.settings.data_dir
    named = {path.name for path in folder.rglob("*") if any(path.name.encode() == one for one in traces)}
    return named | {path.parts[0] for path in files_with(folder, traces)}


class TestOne:
    async def test_is_gone_everywhere(
        self, shared_client: httpx.AsyncClient, enroll_shared: Post, search_shared: Post, runtime: Runtime
    ) -> None:
        first, second = await enrolled(enroll_shared, 1, 2, collection="deletion")
        deleted = await shared_client.delete(f"/gallery/{first}")
        assert (deleted.status_code, deleted.content) == (204, b"")
        hits = (await search_shared(1, collection="deletion")).json()["hits"]
        assert [hit["crop"]["id"] for hit in hits] == [second]
        assert runtime.follower.index.stats().collections["deletion"].crops == 1
        assert await left_in(shared_client, "deletion") == [second]
        for method, path in [("GET", ""), ("GET", "/image"), ("DELETE", "")]:
            assert (await shared_client.request(method, f"/gallery/{first}{path}")).status_code == 404
        with pytest.raises(NotFoundError):
            await runtime.store.get(UUID(first))

    async def test_no_byte_of_it_is_left_when_it_is_acknowledged(
        self, shared_client: httpx.AsyncClient, enroll_shared: Post, make_jpeg: Callable[..., bytes], runtime: Runtime
    ) -> None:
        picture = make_jpeg(77)
        secret, kept = await enrolled(
            enroll_shared, picture, 78, collection="bytes", vehicle_id="a very secret vehicle"
        )
        await in_files(runtime)
        traces = await traces_of(runtime, secret, picture)
        assert found(runtime, traces) == {secret, "crops", "index"}
        assert len(traces_in_segments(runtime.settings.index_dir, UUID(secret))) == 2  # bytes and half precision
        assert (await shared_client.delete(f"/gallery/{secret}")).status_code == 204
        assert found(runtime, traces) == set()
        assert found(runtime, traces_of_id(UUID(kept))) == {kept, "index"}
        await in_files(runtime)
        assert found(runtime, traces) == set()

    async def test_who_does_not_want_to_wait_gets_a_job(
        self, shared_client: httpx.AsyncClient, enroll_shared: Post, make_jpeg: Callable[..., bytes], runtime: Runtime
    ) -> None:
        picture = make_jpeg(79)
        crop_id, _ = await enrolled(enroll_shared, picture, 80, collection="hurry")
        await in_files(runtime)
        traces = await traces_of(runtime, crop_id, picture)
        answer = await shared_client.delete(f"/gallery/{crop_id}", headers={"Prefer": "wait=9, Respond-Async"})
        assert (await shared_client.get(f"/gallery/{crop_id}")).status_code == 404
        job = await ended(shared_client, answer)
        assert (job["state"], job["kind"], job["collection"], job["done"]) == ("succeeded", "delete_crops", "hurry", 1)
        assert found(runtime, traces) == set()

    async def test_who_deletes_one_after_the_other_gets_few_jobs(
        self, shared_client: httpx.AsyncClient, enroll_shared: Post, runtime: Runtime
    ) -> None:
        crops = await enrolled(enroll_shared, *range(6), collection="one after the other")
        await runtime.jobs.stop()
        jobs = [
            (await shared_client.delete(f"/gallery/{crop_id}", headers={"Prefer": "respond-async"})).json()
            for crop_id in crops
        ]
        runtime.jobs.start(work_of(runtime))
        assert {job["id"] for job in jobs} == {jobs[0]["id"]}
        assert [job["done"] for job in jobs] == [1, 2, 3, 4, 5, 6]

    async def test_a_picture_that_cannot_be_removed_is_removed_later(
        self,
        shared_client: httpx.AsyncClient,
        enroll_shared: Post,
        runtime: Runtime,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        (crop_id,) = await enrolled(enroll_shared, 1, collection="read-only")

        def fail(*_: object, **__: object) -> None:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", fail)
            answer = await shared_client.delete(f"/gallery/{crop_id}")
            assert answer.status_code == 202
            assert (await shared_client.get(f"/gallery/{crop_id}")).status_code == 404
            async with asyncio.timeout(10):
                while (job := (await shared_client.get(f"/jobs/{answer.json()['id']}")).json())["error"] is None:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            assert job["state"] in {"queued", "running"}
            assert "1 pictures of deleted crops cannot be removed" in job["error"]
        assert (await ended(shared_client, answer))["state"] == "succeeded"
        with pytest.raises(NotFoundError):
            await runtime.store.get(UUID(crop_id))

    async def test_the_external_id_is_free_again(self, shared_client: httpx.AsyncClient, enroll_shared: Post) -> None:
        (first,) = await enrolled(enroll_shared, 1, collection="again", external_id="a")
        await shared_client.delete(f"/gallery/{first}")
        again = (await enroll_shared(2, collection="again", external_id="a")).json()["items"][0]
        assert again["status"] == "enrolled"
        assert again["id"] != first

    async def test_it_is_waited_for_other_processes(
        self, shared_client: httpx.AsyncClient, enroll_shared: Post, runtime: Runtime
    ) -> None:
        (crop_id,) = await enrolled(enroll_shared, 1, collection="replicas")
        other = (
            "INSERT INTO processes (id, name, clean_sequence, seen_at) VALUES (gen_random_uuid(), 'other', 0, now())"
        )
        async with runtime.database.transaction() as session:
            await session.execute(text(other))
        deletion = asyncio.create_task(shared_client.delete(f"/gallery/{crop_id}"))
        await asyncio.sleep(0.5)
        assert not deletion.done()
        async with runtime.database.transaction() as session:
            await session.execute(text("UPDATE processes SET clean_sequence = 1000000 WHERE name = 'other'"))
        assert (await deletion).status_code == 204

    async def test_what_people_said_of_it_goes_with_it(
        self, shared_client: httpx.AsyncClient, enroll_shared: Post, runtime: Runtime
    ) -> None:
        first, second = await enrolled(enroll_shared, 1, 2, collection="cascades")
        said = """
            WITH judged AS (
                INSERT INTO judgements (id, collection_id, crop_id, query_crop_id, same, score, model_id)
                SELECT gen_random_uuid(), collection_id, :second, :first, true, 0.5, 'm' FROM crops WHERE id = :first
            ), watch AS (
                INSERT INTO watches (id, collection_id, name, model_id, filter, exclude_same_track, min_score,
                    webhook_secret, paused, sequence, started_at)
                SELECT gen_random_uuid(), collection_id, 'w', 'm', '{}', true, 0.5, 's', false, 0, now() FROM crops
                WHERE id = :first RETURNING id
            ), hit AS (
                INSERT INTO watch_hits (id, watch_id, number, crop_id, score, sequence)
                SELECT gen_random_uuid(), id, 1, :first, 0.5, 1 FROM watch RETURNING id, watch_id
            )
            INSERT INTO deliveries (id, watch_id, hit_id, state, attempts, next_attempt_at)
            SELECT gen_random_uuid(), watch_id, id, 'pending', 0, now() FROM hit"""
        async with runtime.database.transaction() as session:
            await session.execute(text(said), {"first": first, "second": second})
        await shared_client.delete(f"/gallery/{first}")
        async with runtime.database.reading() as session:
            for table in ("judgements", "watch_hits", "deliveries"):
                assert await session.scalar(text(f"SELECT count(*) FROM {table}")) == 0  # noqa: S608 - no input


class TestSome:
    async def test_those_that_meet_all_conditions(self, shared_client: httpx.AsyncClient, enroll_shared: Post) -> None:
        items = [
            {"camera_id": "a", "captured_at": "2026-01-01T10:00:00Z", "vehicle_id": "v", "attributes": {"axles": 2}},
            {"camera_id": "a", "captured_at": "2026-01-01T11:00:00Z", "attributes": {"axles": 3}},
            {"camera_id": "b", "captured_at": "2026-01-01T12:00:00Z", "session_id": "s", "track_id": "t"},
            {"camera_id": "c"},
        ]
        for number, (conditions, gone) in enumerate(
            [
                ({"camera_ids": ["a"]}, {0, 1}),
                ({"exclude_camera_ids": ["a"]}, {2, 3}),
                ({"from": "2026-01-01T11:00:00Z"}, {1, 2}),
                ({"from": "2026-01-01T10:00:00Z", "to": "2026-01-01T11:00:00Z"}, {0}),
                ({"vehicle_ids": ["v"]}, {0}),
                ({"attributes": {"axles": 3}}, {1}),
                ({"tracks": [{"camera_id": "b", "session_id": "s", "track_id": "t"}]}, {2}),
                ({"camera_ids": ["a"], "attributes": {"axles": 9}}, set()),
                ({"crop_ids": [1, 3]}, {1, 3}),
                ({"crop_ids": [1, 2, 3], "camera_ids": ["b"]}, {2}),
            ]
        ):
            collection = f"conditions-{number}"
            crops = await enrolled(enroll_shared, 1, 2, 3, 4, items=items, collection=collection)
            if "crop_ids" in conditions:
                conditions = {**conditions, "crop_ids": [crops[place] for place in conditions["crop_ids"]]}  # noqa: PLW2901
            body = {"collection": collection, **conditions}
            counted = await shared_client.post("/gallery/delete", json={**body, "dry_run": True})
            assert counted.json().items() >= {"count": len(gone), "dry_run": True}.items()
            assert len(await left_in(shared_client, collection)) == 4
            deleted = await shared_client.post("/gallery/delete", json=body)
            assert deleted.status_code == 200, deleted.text
            assert deleted.json().items() >= {"count": len(gone), "dry_run": False}.items()
            kept = [crop_id for place, crop_id in enumerate(crops) if place not in gone]
            assert await left_in(shared_client, collection) == kept[::-1]

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({}, 422),
            ({"dry_run": True}, 422),
            ({"attributes": {}}, 422),
            ({"camera_ids": []}, 422),
            ({"camera_ids": ["a\0"]}, 422),
            ({"crop_ids": ["nothing"]}, 422),
            ({"crop_ids": [str(UUID(int=1))] * 1001}, 422),
            ({"colour": "red"}, 422),
            ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, 422),
            ({"collection": "nowhere", "camera_ids": ["a"]}, 404),
        ],
    )
    async def test_what_makes_no_sense_deletes_nothing(
        self, shared_client: httpx.AsyncClient, enroll_shared: Post, body: dict[str, Any], status: int
    ) -> None:
        crops = await enrolled(enroll_shared, 1, collection="untouched")
        answer = await shared_client.post("/gallery/delete", json={"collection": "untouched", **body})
        assert answer.status_code == status, answer.text
        assert crops[0] in await left_in(shared_client, "untouched")

    async def test_of_none_there_is_nothing_to_wait_for(
        self, shared_client: httpx.AsyncClient, enroll_shared: Post, runtime: Runtime
    ) -> None:
        """Otherwise a tenant would be told by a 202 that somebody else is deleting."""
        await enrolled(enroll_shared, 5, collection="none-of-these")
        process = (
            "INSERT INTO processes (id, name, clean_sequence, seen_at) VALUES (gen_random_uuid(), 'dirty', 0, now())"
        )
        async with runtime.database.transaction() as session:
            await session.execute(text(process))
        body = {"collection": "none-of-these", "camera_ids": ["nowhere"]}
        answer = await shared_client.post("/gallery/delete", json=body, headers={"Prefer": "respond-async"})
        async with runtime.database.transaction() as session:
            await session.execute(text("DELETE FROM processes WHERE name = 'dirty'"))
        assert (answer.status_code, answer.json()["count"]) == (200, 0)

    async def test_of_one_collection_only(self, shared_client: httpx.AsyncClient, enroll_shared: Post) -> None:
        mine = await enrolled(enroll_shared, 1, collection="mine", camera_id="shared")
        theirs = await enrolled(enroll_shared, 2, collection="theirs", camera_id="shared")
        body = {"collection": "mine", "crop_ids": mine + theirs}
        assert (await shared_client.post("/gallery/delete", json=body)).json()["count"] == 1
        assert await left_in(shared_client, "theirs") == theirs

    async def test_is_written_down(
        self, shared_client: httpx.AsyncClient, enroll_shared: Post, runtime: Runtime
    ) -> None:
        (one, other) = await enrolled(enroll_shared, 1, 2, collection="written down", camera_id="z")
        await shared_client.delete(f"/gallery/{one}")
        await shared_client.post("/gallery/delete", json={"collection": "written down", "camera_ids": ["z"]})
        async with runtime.database.reading() as session:
            entries = await session.scalars(
                select(AuditEntry).where(AuditEntry.collection == "written down").order_by(AuditEntry.id)
            )
            written = [(one.action, one.filter, one.crop_ids) for one in entries if one.action.startswith("delete")]
        assert written == [
            ("delete_crop", {}, [UUID(one)]),
            ("delete_crops", {"camera_ids": ["z"], "count": 1}, [UUID(other)]),
        ]


class TestMany:
    @pytest.fixture(autouse=True)
    def _few_are_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("service.deletion.service.AT_ONCE", 3)
        monkeypatch.setattr("service.deletion.work.SLICE", 2)
        monkeypatch.setattr("service.jobs.handle.WRITTEN_EVERY_S", 0)

    async def test_are_deleted_by_a_job(
        self, shared_client: httpx.AsyncClient, enroll_shared: Post, make_jpeg: Callable[..., bytes], runtime: Runtime
    ) -> None:
        pictures = [make_jpeg(100 + number) for number in range(7)]
        crops = await enrolled(enroll_shared, *pictures, collection="many", camera_id="z")
        (kept,) = await enrolled(enroll_shared, 5, collection="many", camera_id="other")
        await in_files(runtime)
        traces = set()
        for crop_id, picture in zip(crops, pictures, strict=True):
            traces |= await traces_of(runtime, crop_id, picture)
        answer = await shared_client.post("/gallery/delete", json={"collection": "many", "camera_ids": ["z"]})
        job = await ended(shared_client, answer)
        assert (job["state"], job["done"], job["total"], job["progress"]) == ("succeeded", 7, 7, 1)
        assert job["parameters"] == {"filter": {"camera_ids": ["z"]}}
        assert job["result"]["deleted"] == 7
        assert await left_in(shared_client, "many") == [kept]
        assert found(runtime, traces) == set()

    async def test_which_ones_is_decided_when_it_is_asked_for(
        self, shared_client: httpx.AsyncClient, enroll_shared: Post, runtime: Runtime
    ) -> None:
        crops = await enrolled(enroll_shared, *range(5), collection="decided", camera_id="z", vehicle_id="v")
        body = {"collection": "decided", "vehicle_ids": ["v"]}
        await runtime.jobs.stop()
        answer = await shared_client.post("/gallery/delete", json=body)
        later = await enrolled(enroll_shared, 9, collection="decided", camera_id="z", vehicle_id="v")
        changed = await shared_client.patch(f"/gallery/{crops[0]}", json={"vehicle_id": "another"})
        assert changed.status_code == 200, changed.text
        runtime.jobs.start(work_of(runtime))
        assert (await ended(shared_client, answer))["result"]["deleted"] == 5
        assert await left_in(shared_client, "decided") == later

    async def test_a_job_that_was_interrupted_anywhere_goes_on(
        self, shared_client: httpx.AsyncClient, enroll_shared: Post, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """After its rows are gone, and after its pictures are: what is left is neither forgotten nor counted twice."""
        crops = await enrolled(enroll_shared, *range(7), collection="interrupted", camera_id="z")
        steps = []

        def interrupted(name: str, step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
            async def and_then(*arguments: Any) -> Any:
                answer = await step(*arguments)
                steps.append(name)
                if len(steps) in {1, 4, 5}:
                    raise asyncio.CancelledError
                return answer

            return and_then

        await runtime.jobs.stop()
        body = {"collection": "interrupted", "camera_ids": ["z"]}
        answer = await shared_client.post("/gallery/delete", json=body)
        with monkeypatch.context() as patch:
            for owner, name in ((erasing, "remove_pictures"), (DeletionRepository, "strike_out")):
                patch.setattr(owner, name, interrupted(name, getattr(owner, name)))
            runtime.jobs.start(work_of(runtime))
            job = await ended(shared_client, answer)
        assert (job["state"], job["done"], job["result"]["deleted"]) == ("succeeded", 7, 7)
        assert len(steps) > 5
        assert await left_in(shared_client, "interrupted") == []
        assert found(runtime, {crop_id.encode() for crop_id in crops}) == set()

    async def test_one_that_waits_for_files_lets_others_go_first_and_says_why(
        self, shared_client: httpx.AsyncClient, enroll_shared: Post, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("service.deletion.work.LONGEST_WAIT_S", 0.1)
        clean = erasing.in_no_file
        stuck: list[int] = []

        async def in_no_file(runtime: Runtime, sequence: int) -> bool:
            stuck.append(sequence)
            return sequence != stuck[0] and await clean(runtime, sequence)

        monkeypatch.setattr("service.deletion.work.in_no_file", in_no_file)
        body = {"collection": "held up", "camera_ids": ["z"]}
        await enrolled(enroll_shared, *range(4), collection="held up", camera_id="z")
        first = await shared_client.post("/gallery/delete", json=body)
        async with asyncio.timeout(20):
            while (job := (await shared_client.get(first.headers["Location"])).json())["error"] is None:  # noqa: ASYNC110 - seen from outside
                await asyncio.sleep(0.01)
        assert job["error"].startswith("What was deleted is in files of an index still")
        assert job["parameters"]["filter"] == {"camera_ids": ["z"]}
        await enrolled(enroll_shared, *range(4, 8), collection="held up", camera_id="z")
        second = await shared_client.post("/gallery/delete", json=body)
        assert (await ended(shared_client, second))["result"]["deleted"] == 4
        held_up = stuck[0]
        stuck[0] = -1
        assert (await ended(shared_client, first))["result"] == {"deleted": 4, "sequence": held_up}

    async def test_a_cancelled_job_leaves_the_rest(
        self, shared_client: httpx.AsyncClient, enroll_shared: Post, runtime: Runtime
    ) -> None:
        crops = await enrolled(enroll_shared, *range(5), collection="cancelled", camera_id="z")
        await runtime.jobs.stop()
        answer = await shared_client.post("/gallery/delete", json={"collection": "cancelled", "camera_ids": ["z"]})
        cancelled = await shared_client.post(f"/jobs/{answer.json()['id']}/cancel")
        assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
        runtime.jobs.start(work_of(runtime))
        await asyncio.sleep(0.2)
        assert len(await left_in(shared_client, "cancelled")) == len(crops)
        async with runtime.database.reading() as session:
            assert await session.scalar(text("SELECT count(*) FROM job_crops")) == 0

    async def test_a_whole_collection(
        self, shared_client: httpx.AsyncClient, enroll_shared: Post, make_jpeg: Callable[..., bytes], runtime: Runtime
    ) -> None:
        picture = make_jpeg(55)
        crops = await enrolled(enroll_shared, picture, *range(6), collection="whole")
        await in_files(runtime)
        traces = await traces_of(runtime, crops[0], picture)
        job = await ended(shared_client, await shared_client.delete("/collections/whole"))
        assert (job["state"], job["kind"], job["done"], job["total"]) == ("succeeded", "delete_collection", 7, 7)
        assert (await shared_client.get("/collections/whole")).status_code == 404
        assert found(runtime, traces | {crop_id.encode() for crop_id in crops}) == set()
        assert "whole" not in runtime.follower.index.stats().collections
        assert (await enroll_shared(1, collection="whole")).status_code == 201

    async def test_a_collection_that_is_enrolled_in_meanwhile(
        self, shared_client: httpx.AsyncClient, enroll_shared: Post, runtime: Runtime
    ) -> None:
        """Whatever was acknowledged before it was gone is gone with it; what comes later is in a new one."""
        await enrolled(enroll_shared, *range(6), collection="busy")
        answer = await shared_client.delete("/collections/busy")
        async with asyncio.timeout(20):
            while (await shared_client.get(f"/jobs/{answer.json()['id']}")).json()["finished_at"] is None:
                await enroll_shared(3, collection="busy")
        await ended(shared_client, answer)
        await runtime.follower.reconcile()
        assert runtime.follower.status().drift is None
        async with runtime.database.reading() as session:
            pictures = {UUID(path.name) for path in runtime.settings.crops_dir.glob("??/*")}
            assert pictures == set(await session.scalars(text("SELECT id FROM crops WHERE has_image")))

    async def test_an_enrolment_under_way_is_waited_for(
        self,
        shared_client: httpx.AsyncClient,
        enroll_shared: Post,
        add: Callable[..., Awaitable[Any]],
        runtime: Runtime,
    ) -> None:
        await enrolled(enroll_shared, 1, collection="under way")
        model = {"model_id": runtime.embedder.model_id, "embedding": unit_rows(1, 1, runtime.embedder.dimension)[0]}
        await runtime.jobs.stop()
        answer = await shared_client.delete("/collections/under way")
        async with runtime.database.transaction() as session:
            await add(session, collection="under way", has_image=False, **model)
            runtime.jobs.start(work_of(runtime))
            await asyncio.sleep(0.3)
            assert (await shared_client.get(f"/jobs/{answer.json()['id']}")).json()["state"] == "running"
        assert (await ended(shared_client, answer))["state"] == "succeeded"
        assert (await shared_client.get("/collections/under way")).status_code == 404


class TestPictures:
    async def test_are_removed_from_a_collection_that_keeps_none(
        self, shared_client: httpx.AsyncClient, enroll_shared: Post, search_shared: Post, runtime: Runtime
    ) -> None:
        crops = await enrolled(enroll_shared, *range(3), collection="blind")
        asked = {"kind": "remove_images", "collection": "blind"}
        refused = await shared_client.post("/jobs", json=asked)
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
        await shared_client.patch("/collections/blind", json={"keep_images": False})
        job = await ended(shared_client, await shared_client.post("/jobs", json=asked))
        assert (job["state"], job["result"]) == ("succeeded", {"removed": 3})
        assert found(runtime, {crop_id.encode() for crop_id in crops}) == set()
        assert (await shared_client.get(f"/gallery/{crops[0]}/image")).json()["code"] == "no_image"
        assert len((await search_shared(1, collection="blind")).json()["hits"]) == 3

    async def test_stay_where_somebody_decides_meanwhile_to_keep_them(
        self, shared_client: httpx.AsyncClient, enroll_shared: Post, runtime: Runtime
    ) -> None:
        await enrolled(enroll_shared, 1, 2, collection="changed mind")
        await shared_client.patch("/collections/changed mind", json={"keep_images": False})
        await runtime.jobs.stop()
        asked = await shared_client.post("/jobs", json={"kind": "remove_images", "collection": "changed mind"})
        await shared_client.patch("/collections/changed mind", json={"keep_images": True})
        await enrolled(enroll_shared, 3, collection="changed mind")
        runtime.jobs.start(work_of(runtime))
        job = await ended(shared_client, asked)
        assert (job["state"], job["done"]) == ("failed", 0)
        assert "keeps pictures" in job["error"]
        crops = (await shared_client.get("/gallery", params={"collection": "changed mind"})).json()["items"]
        assert [crop["has_image"] for crop in crops] == [True] * 3

    async def test_stay_in_another_collection_of_the_same_name(
        self, shared_client: httpx.AsyncClient, enroll_shared: Post, runtime: Runtime
    ) -> None:
        await shared_client.post("/collections", json={"name": "made anew", "keep_images": False})
        await runtime.jobs.stop()
        jobs = [
            await shared_client.post("/jobs", json={"kind": kind, "collection": "made anew"})
            for kind in ("remove_images", "reembed_collection")
        ]
        assert (await shared_client.delete("/collections/made anew")).status_code == 204
        await shared_client.post("/collections", json={"name": "made anew", "keep_images": False})
        crops = await enrolled(enroll_shared, 1, 2, collection="made anew")
        async with runtime.database.transaction() as session:
            await session.execute(update(Crop).where(Crop.id.in_(map(UUID, crops))).values(has_image=True))
        runtime.jobs.start(work_of(runtime))
        for answer in jobs:
            job = await ended(shared_client, answer)
            assert (job["state"], job["error"]) == ("failed", "The collection is gone.")
        kept = (await shared_client.get("/gallery", params={"collection": "made anew"})).json()["items"]
        assert [crop["has_image"] for crop in kept] == [True] * 2

    async def test_of_an_interrupted_deletion_are_removed_all_the_same(
        self, shared_client: httpx.AsyncClient, enroll_shared: Post, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The rows are gone, and the process is before a picture is: what is noted outlives it."""
        crops = await enrolled(enroll_shared, *range(3), collection="broken off")

        async def killed(*_: Any) -> None:
            raise asyncio.CancelledError

        with monkeypatch.context() as patch:
            patch.setattr("service.deletion.service.remove_pictures", killed)
            caller = Caller(None, "somebody", frozenset({"delete"}))
            with pytest.raises(asyncio.CancelledError):
                await delete_crops(
                    runtime, caller, DeletionRequest(collection="broken off", camera_ids=["camera-1"]), 0
                )
        assert await left_in(shared_client, "broken off") == []
        assert found(runtime, {crop_id.encode() for crop_id in crops}) == set(crops)
        assert await PictureRemover(runtime.database, runtime.store).remove() == 0
        assert found(runtime, {crop_id.encode() for crop_id in crops}) == set()
        async with runtime.database.reading() as session:
            assert (await session.scalars(select(PictureToRemove.crop_id))).all() == []


async def test_a_key_of_another_collection_deletes_nothing(
    shared_client: httpx.AsyncClient, enroll_shared: Post, runtime: Runtime
) -> None:
    crops = await enrolled(enroll_shared, 1, collection="walled")
    stranger = Caller(None, "stranger", frozenset({"delete"}), frozenset({"elsewhere"}))
    with pytest.raises(NotFoundError):
        await delete_crop(runtime, stranger, UUID(crops[0]), 0)
    with pytest.raises(ForbiddenError):
        await delete_crops(runtime, stranger, DeletionRequest(collection="walled", camera_ids=["camera-1"]), 0)
    assert await left_in(shared_client, "walled") == crops


async def test_a_collection_may_ask_why(
    shared_client: httpx.AsyncClient, enroll_shared: Post, runtime: Runtime
) -> None:
    crops = await enrolled(enroll_shared, 1, 2, collection="curious")
    await shared_client.patch("/collections/curious", json={"require_purpose": True})
    body = {"collection": "curious", "camera_ids": ["camera-1"]}
    why = {"X-Purpose": "case 7"}
    assert (await shared_client.delete(f"/gallery/{crops[0]}")).status_code == 422
    assert (await shared_client.post("/gallery/delete", json=body)).status_code == 422
    assert len(await left_in(shared_client, "curious")) == 2
    assert (await shared_client.delete(f"/gallery/{crops[0]}", headers=why)).status_code == 204
    assert (await shared_client.post("/gallery/delete", json=body, headers=why)).status_code == 200
    async with runtime.database.reading() as session:
        entries = await session.scalars(select(AuditEntry).where(AuditEntry.collection == "curious"))
        assert [one.purpose for one in entries if one.action.startswith("delete")] == ["case 7", "case 7"]
