"""Retention: what is older than its collection allows is in no answer, no index and no store."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select, update
from support.traces import files_with, traces_in_segments, traces_of_id, traces_of_vector

from service.crops.removal import PictureRemover
from service.crops.store import FileCropStore
from service.database.engine import Database
from service.database.tables import AuditEntry, Change, Collection, Crop, Embedding
from service.database.vectors import decode
from service.deletion.erasing import wait_until_in_no_file
from service.errors import UnavailableError
from service.gallery.records import NewCrop
from service.gallery.repository import GalleryRepository
from service.retention import keeper as module
from service.retention.keeper import RetentionKeeper
from service.retention.repository import RETENTION_LOCK, RetentionRepository, Rule

Post = Callable[..., Awaitable[httpx.Response]]
Enrol = Callable[..., Awaitable[list[NewCrop]]]

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def _id_of(time_: datetime, number: int = 0) -> UUID:
    """A UUIDv7 of a time."""
    return UUID(int=(int(time_.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62) | number)


async def _keep(database: Database, days: float | None, collection: str = "default") -> None:
    async with database.transaction() as session:
        await session.execute(update(Collection).where(Collection.name == collection).values(retention_days=days))


async def _left(database: Database) -> set[UUID]:
    async with database.reading() as session:
        return set(await session.scalars(select(Crop.id)))


@pytest.fixture
def store(tmp_path: Path) -> FileCropStore:
    return FileCropStore(tmp_path / "crops")


@pytest.fixture
def keeper(database: Database, store: FileCropStore) -> RetentionKeeper:
    return RetentionKeeper(database, store, lambda _: None, 3600)


async def test_by_time_of_capture_or_else_of_enrolment(
    database: Database, enrol: Enrol, store: FileCropStore, keeper: RetentionKeeper
) -> None:
    old = await enrol(database, 3, captured_at=NOW - 2 * DAY)
    (young,) = await enrol(database, captured_at=NOW - DAY + timedelta(hours=1))
    (timeless,) = await enrol(database)
    (old_timeless,) = await enrol(database, id=_id_of(NOW - 2 * DAY))
    (elsewhere,) = await enrol(database, collection="other", captured_at=NOW - 9 * DAY)
    (told_late,) = await enrol(database, id=_id_of(NOW - 2 * DAY, 1), captured_at=NOW)
    async with database.transaction() as session:
        backdated = Crop.id.in_([old_timeless.id, told_late.id])
        await session.execute(update(Crop).where(backdated).values(created_at=NOW - 2 * DAY))
    everything = [*old, young, timeless, old_timeless, elsewhere, told_late]
    for crop in everything:
        await store.put(crop.id, b"picture")
    assert await keeper.expire() == 0
    await _keep(database, 1)
    assert await keeper.expire() == 4
    kept = {young.id, timeless.id, elsewhere.id, told_late.id}
    assert await _left(database) == kept
    assert {one.name for one in (store._folder).glob("??/*")} == set(map(str, kept))
    assert await keeper.expire() == 0


async def test_a_retention_of_a_century_holds_up_no_other(
    database: Database, enrol: Enrol, keeper: RetentionKeeper
) -> None:
    """It reaches back to before the clock of the ids began."""
    (kept,) = await enrol(database, captured_at=datetime(1950, 1, 1, tzinfo=UTC))
    await enrol(database, captured_at=datetime(1900, 1, 1, tzinfo=UTC))
    await enrol(database, collection="other", captured_at=NOW - 2 * DAY)
    await _keep(database, 36_500)
    await _keep(database, 1, "other")
    assert await keeper.expire() == 2
    assert await _left(database) == {kept.id}


async def test_a_collection_where_it_fails_is_told_and_holds_up_no_other(
    database: Database,
    enrol: Enrol,
    keeper: RetentionKeeper,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (stuck,) = await enrol(database, collection="first", captured_at=NOW - 2 * DAY)
    await enrol(database, collection="second", captured_at=NOW - 2 * DAY)
    await _keep(database, 1, "first")
    await _keep(database, 1, "second")

    async def step(self: RetentionRepository, rule: Rule, crops: int) -> datetime | None:
        if rule.name == "first":
            raise ValueError("a time that no calendar has")
        return await whole(self, rule, crops)

    whole = RetentionRepository.step
    monkeypatch.setattr(RetentionRepository, "step", step)
    assert await keeper.expire() == 1
    assert await _left(database) == {stuck.id}
    assert "a time that no calendar has" in caplog.text


async def test_pictures_that_cannot_be_removed_now_are_removed_later(
    database: Database, enrol: Enrol, store: FileCropStore, keeper: RetentionKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops = [*await enrol(database, 2, captured_at=NOW - 2 * DAY), *await enrol(database, id=_id_of(NOW - 2 * DAY))]
    async with database.transaction() as session:
        await session.execute(update(Crop).where(Crop.captured_at.is_(None)).values(created_at=NOW - 2 * DAY))
    for crop in crops:
        await store.put(crop.id, b"picture")
    await _keep(database, 1)

    async def refuse(_: UUID) -> None:
        raise UnavailableError("The crop store cannot be used.")

    with monkeypatch.context() as patch:
        patch.setattr(store, "delete", refuse)
        assert await keeper.expire() == 3
    assert len(list(store._folder.glob("??/*"))) == 3
    assert await PictureRemover(database, store).remove() == 0
    assert list(store._folder.glob("??/*")) == []


async def test_many_go_in_steps_by_one_line_each_and_are_on_record(
    database: Database, enrol: Enrol, keeper: RetentionKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STEP", 4)
    crops = [(await enrol(database, captured_at=NOW - 9 * DAY + n * timedelta(hours=1)))[0].id for n in range(9)]
    same = [crop.id for crop in await enrol(database, 6, captured_at=NOW - 8 * DAY)]
    await _keep(database, 2.5)
    async with database.reading() as session:
        before = await GalleryRepository(session).head()
    assert await keeper.expire() == 15
    async with database.reading() as session:
        lines = (await session.scalars(select(Change).where(Change.sequence > before).order_by(Change.sequence))).all()
        entries = (await session.scalars(select(AuditEntry).order_by(AuditEntry.id))).all()
    assert all(line.expired_before is not None for line in lines)
    assert [sorted(entry.crop_ids) for entry in entries] == [crops[:4], crops[4:8], [*crops[8:], *sorted(same)]]
    assert {(entry.action, entry.collection, entry.key_name) for entry in entries} == {
        ("retention", "default", "retention")
    }


async def test_one_process_at_a_time(database: Database, enrol: Enrol, keeper: RetentionKeeper) -> None:
    await enrol(database, captured_at=NOW - 2 * DAY)
    await _keep(database, 1)
    async with database.transaction() as session:
        await session.execute(select(func.pg_advisory_xact_lock(RETENTION_LOCK)))
        assert await keeper.expire() == 0
    assert await keeper.expire() == 1


async def test_who_decides_meanwhile_to_keep_longer_is_heard(
    database: Database, enrol: Enrol, keeper: RetentionKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STEP", 1)
    for days in (5, 4, 3):
        await enrol(database, captured_at=NOW - days * DAY)
    await _keep(database, 1)
    step = keeper._step

    async def then_keep(collection_id: UUID) -> Any:
        done = await step(collection_id)
        await _keep(database, None)
        return done

    monkeypatch.setattr(keeper, "_step", then_keep)
    assert await keeper.expire() == 1
    assert len(await _left(database)) == 2


async def test_it_goes_on_by_itself_and_after_an_outage(
    database: Database,
    enrol: Enrol,
    store: FileCropStore,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await enrol(database, captured_at=NOW - 2 * DAY)
    await _keep(database, 1)
    broken = True

    @asynccontextmanager
    async def reading() -> AsyncIterator[Any]:
        if broken:
            raise RuntimeError("an outage")
        async with read() as session:
            yield session

    read = database.reading
    monkeypatch.setattr(database, "reading", reading)
    noted = asyncio.Event()
    keeper = RetentionKeeper(database, store, lambda _: noted.set(), 0.02)
    keeper.start()
    try:
        await asyncio.sleep(0.1)
        assert "an outage" in caplog.text
        broken = False
        await asyncio.wait_for(noted.wait(), 10)
    finally:
        await keeper.stop()
    assert await _left(database) == set()


async def test_expired_is_in_no_answer_no_index_and_no_store(
    client: httpx.AsyncClient, enroll: Post, search: Post, make_jpeg: Callable[..., bytes]
) -> None:
    picture = make_jpeg(1)
    # Two old ones: with another beside it the codes of a vector in a segment are not those of just any vector.
    times = [(NOW - age).isoformat() for age in (3 * DAY, 3 * DAY, timedelta(hours=1))]
    items = [{"camera_id": "a", "captured_at": captured_at, "track_id": "1"} for captured_at in times]
    old, _, young = (item["id"] for item in (await enroll(picture, 2, 3, items=items)).json()["items"])
    await enroll(4, collection="other", items=items[:1])
    await client.patch("/collections/default", json={"retention_days": 1})
    runtime = client._transport.app.state.runtime
    await runtime.follower.ask(lambda index: index.snapshot())
    async with runtime.database.reading() as session:
        vector = (await session.scalars(select(Embedding.vector).where(Embedding.crop_id == old))).one()
    traces = {picture} | traces_of_vector(decode(vector)) | traces_of_id(UUID(old))
    traces |= traces_in_segments(runtime.settings.index_dir, UUID(old))
    assert {path.parts[0] for path in files_with(runtime.settings.data_dir, traces)} == {"index", "crops"}
    keeper = RetentionKeeper(runtime.database, runtime.store, runtime.follower.note_commit, 3600)
    assert await keeper.expire() == 2
    found = (await search(1, group_by="crop")).json()
    assert [hit["crop"]["id"] for hit in found["hits"]] == [young]
    assert found["search"]["candidates"] == 1
    assert [crop["id"] for crop in (await client.get("/gallery")).json()["items"]] == [young]
    track = await client.get("/tracks/one", params={"camera_id": "a", "track_id": "1"})
    assert track.json()["track"]["crops"] == 1
    for path in (f"/gallery/{old}", f"/gallery/{old}/image"):
        assert (await client.get(path)).status_code == 404
    held = runtime.follower.index.stats().collections
    assert (held["default"].crops, held["other"].crops) == (1, 1)
    assert await wait_until_in_no_file(runtime, runtime.follower.committed, 30)
    assert files_with(runtime.settings.data_dir, traces) == set()
    assert not list(runtime.settings.crops_dir.rglob(old))
