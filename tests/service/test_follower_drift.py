"""An index that does not hold what the database holds is found out, answers nothing, and is built anew."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from support.following import Following, assert_same, head_of, held_by, holds, level, truth_of, until
from support.vectors import unit_rows

from index.segmented import SegmentedIndex
from service.collections.repository import CollectionRepository
from service.database.engine import Database
from service.database.vectors import encode
from service.errors import UnavailableError
from service.follower_repository import FollowerRepository, Totals
from service.gallery.records import NewCrop

Enrol = Callable[..., Awaitable[list[NewCrop]]]
Remove = Callable[[AsyncSession, UUID], Awaitable[None]]

BEHIND_THE_LOG = {
    "camera": "UPDATE crops SET camera_id = 'b'",
    "time": "UPDATE crops SET captured_at = captured_at + interval '1 microsecond'",
    "time known": "UPDATE crops SET captured_at = NULL",
    "session": "UPDATE crops SET session_id = NULL",
    "track": "UPDATE crops SET track_id = '8'",
    "vehicle": "UPDATE crops SET vehicle_id = 's', session_id = 'v'",
    "attributes": """UPDATE crops SET attributes = '{"doors": "5"}'""",
    "vector": "UPDATE embeddings SET vector = :vector",
    "collection": "UPDATE collections SET name = 'other'",
    "gone": "DELETE FROM crops",
}


async def _do(database: Database, statement: str) -> None:
    vector = {"vector": encode(unit_rows(99, 1, 32)[0])} if ":vector" in statement else {}
    async with database.transaction() as session:
        await session.execute(text(statement), vector)


@pytest.mark.parametrize("change", BEHIND_THE_LOG)
async def test_whatever_differs_is_found(
    database: Database, enrol: Enrol, following: Following, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    await enrol(database, collection="spare", camera_id="b")
    (crop,) = await enrol(
        database,
        camera_id="a",
        captured_at=datetime(2026, 11, 23, tzinfo=UTC),
        session_id="s",
        track_id="7",
        vehicle_id="v",
        attributes={"doors": 5},
    )
    await _do(database, "INSERT INTO cameras SELECT id, 'b' FROM collections WHERE name = 'default'")
    async with following(poll_s=60) as follower:
        await follower.reconcile()
        assert follower.status().drift is None
        statement = BEHIND_THE_LOG[change]
        await _do(database, statement + ("" if "WHERE" in statement else _only_default(statement)))
        truth = await truth_of(database)
        before = truth[crop.id].fingerprint if crop.id in truth else 0
        caplog.clear()
        await follower.reconcile()
        drift = follower.status().drift
        assert drift is not None
        assert drift.sequence == 2
        found = {one.collection: (one.index, one.database) for one in drift.collections}
        assert "spare" not in found
        index, database_total = found["default"]
        assert index.crops == 1
        if change not in {"gone", "collection"}:
            assert database_total == Totals(1, before)
        assert "'default'" in caplog.text
        assert f"{index.fingerprint:016x}" in caplog.text
        await until(lambda: follower.ready)
        assert_same(held_by(follower, "default", "spare", "other"), truth)
        assert follower.status().drift is drift  # kept visible
        rebuild = follower.status().rebuild
        assert rebuild is not None
        assert "held something else than the database in 'default'" in rebuild.reason
        await follower.reconcile()
        assert follower.status().drift is drift
        assert follower.status().doubt is None


def _only_default(statement: str) -> str:
    owner = "(SELECT id FROM collections WHERE name = 'default')"
    if "embeddings" in statement:
        return f" WHERE crop_id IN (SELECT id FROM crops WHERE collection_id = {owner})"  # noqa: S608 - no input
    return " WHERE name = 'default'" if "collections" in statement else f" WHERE collection_id = {owner}"


async def test_nothing_is_found_beside_writers(
    database: Database, enrol: Enrol, remove: Remove, following: Following
) -> None:
    """Each comparison is of one and the same change on both sides, however fast the log grows."""

    async def write() -> None:
        while not done.is_set():
            crops = await enrol(database, 3, collection="busy")
            async with database.transaction() as session:
                await remove(session, crops[0].id)

    done = asyncio.Event()
    async with following() as follower:
        writers = asyncio.gather(write(), write())
        for _ in range(10):
            await follower.reconcile()
        done.set()
        await writers
        status = follower.status()
        assert (status.drift, status.doubt) == (None, None)
        assert (status.reconciled_age_s or 0) < 5
        assert follower.sequence > 10


async def test_following_goes_on_while_the_database_adds_up(
    database: Database, enrol: Enrol, following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    adding, go_on = asyncio.Event(), asyncio.Event()
    totals = FollowerRepository.totals

    async def slow(truth: FollowerRepository) -> dict[str, Totals]:
        adding.set()
        await go_on.wait()
        return await totals(truth)

    monkeypatch.setattr(FollowerRepository, "totals", slow)
    await enrol(database)
    async with following() as follower:
        comparing = asyncio.create_task(follower.reconcile())
        await asyncio.wait_for(adding.wait(), 5)
        (crop,) = await enrol(database)
        await level(follower, database)
        assert holds(follower, crop.id)
        go_on.set()
        await comparing
        assert follower.status().drift is None


@pytest.mark.parametrize("snapshot_changes", [1, 10**9])
async def test_a_wrong_index_is_built_anew_though_it_is_found_out_while_changes_are_applied(
    database: Database,
    enrol: Enrol,
    following: Following,
    monkeypatch: pytest.MonkeyPatch,
    snapshot_changes: int,
) -> None:
    """Whatever is due beside following meets no index in that moment, which must not end the following."""
    adding, applying = asyncio.Event(), threading.Event()
    added_up, applied = asyncio.Event(), threading.Event()
    totals = FollowerRepository.totals

    async def slow(truth: FollowerRepository) -> dict[str, Totals]:
        adding.set()
        await added_up.wait()
        return await totals(truth)

    class Slow(SegmentedIndex):
        def apply(self, *arguments: Any) -> None:
            super().apply(*arguments)
            if adding.is_set() and not applied.is_set():
                applying.set()
                assert applied.wait(10)

    monkeypatch.setattr(FollowerRepository, "totals", slow)
    await enrol(database, 2)
    async with following(kind=Slow, snapshot_changes=snapshot_changes) as follower:
        await _do(database, "UPDATE crops SET vehicle_id = 'another'")
        comparing = asyncio.create_task(follower.reconcile())
        await asyncio.wait_for(adding.wait(), 5)
        await enrol(database)
        assert await asyncio.to_thread(applying.wait, 5)
        added_up.set()
        await comparing
        assert not follower.loaded
        applied.set()
        await until(lambda: follower.ready)
        assert_same(held_by(follower), await truth_of(database))


async def test_a_wrong_index_answers_nothing_until_it_is_built(
    database: Database, enrol: Enrol, following: Following
) -> None:
    """Not even the search that was under way when it was found out."""
    await enrol(database, 2)
    searching, go_on = threading.Event(), threading.Event()

    def search(_: object) -> str:
        searching.set()
        assert go_on.wait(10)
        return "wrong"

    async with following(poll_s=60) as follower:
        asked = asyncio.create_task(follower.ask(search))
        assert await asyncio.to_thread(searching.wait, 5)
        await _do(database, "UPDATE crops SET vehicle_id = 'another'")
        await follower.reconcile()
        assert not follower.loaded
        with pytest.raises(UnavailableError, match="not loaded"):
            await follower.ask(lambda index: index.stats())
        go_on.set()
        with pytest.raises(UnavailableError, match="found to be wrong"):
            await asked
        await until(lambda: follower.ready)
        assert {one.vehicle_id for one in held_by(follower).values()} == {"another"}


async def test_what_was_left_is_compared_soon_after_a_start(
    database: Database, enrol: Enrol, following: Following, tmp_path: Path
) -> None:
    async with following(folder=tmp_path / "index") as follower:
        await enrol(database, 3)
        await level(follower, database)
    await _do(database, "UPDATE crops SET vehicle_id = 'another'")
    async with following(folder=tmp_path / "index") as follower:
        await until(lambda: follower.status().drift is not None and follower.ready)
        assert_same(held_by(follower), await truth_of(database))


async def test_it_compares_now_and_then(database: Database, enrol: Enrol, following: Following) -> None:
    await enrol(database)
    async with following(reconcile_s=0.1) as follower:
        await until(lambda: follower.status().reconciled_age_s is not None)
        await _do(database, "DELETE FROM crops")
        await until(lambda: follower.status().drift is not None and follower.ready and not held_by(follower))


async def test_an_outage_is_no_disagreement(
    database: Database, enrol: Enrol, following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    await enrol(database)

    async def down(_: FollowerRepository) -> dict[str, Totals]:
        raise UnavailableError("The database does not answer.")

    async with following() as follower:
        with monkeypatch.context() as outage:
            outage.setattr(FollowerRepository, "totals", down)
            await follower.reconcile()
        assert (follower.status().drift, follower.status().reconciled_age_s) == (None, None)
        assert len(held_by(follower)) == 1


async def test_the_sum_is_modulo_two_to_the_sixty_four(database: Database, enrol: Enrol, following: Following) -> None:
    """Fingerprints have a sign in the database and none in the index; their sum leaves 64 bits at once."""
    crops = await enrol(database, 40)
    async with following() as follower:
        truth = await truth_of(database)
        total = sum(truth[crop.id].fingerprint for crop in crops)
        assert total > 2**64
        assert follower.index.stats().collections["default"].fingerprint == total % 2**64
        await follower.reconcile()
        assert follower.status().drift is None
        assert len(np.unique([one.fingerprint for one in truth.values()])) == len(crops)
        assert await head_of(database) == follower.sequence


async def test_the_collection_of_another_model_is_no_disagreement(
    database: Database, enrol: Enrol, following: Following
) -> None:
    await enrol(database, collection="foreign", model_id="model-2")
    await enrol(database)
    async with following() as follower:
        await follower.reconcile()
        assert follower.status().drift is None
    async with database.reading() as session:
        assert await CollectionRepository(session).collection("foreign") is not None
