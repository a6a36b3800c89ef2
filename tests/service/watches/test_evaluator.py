"""Evaluation: every crop once, none missed, whoever evaluates, whatever happened to the log meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from support.following import DIMENSION, MODEL_ID
from support.keys import made_key
from support.vectors import unit_rows

from service.collections.repository import CollectionRepository
from service.database.engine import Database
from service.database.tables import ApiKey, AuditEntry, Change, Crop, Delivery, Watch, WatchCursor, WatchHit
from service.gallery.records import NewCrop
from service.gallery.repository import GalleryRepository
from service.watches import evaluator as module
from service.watches.evaluation_repository import EvaluationRepository
from service.watches.evaluator import WatchEvaluator
from service.watches.repository import WatchRepository

Enrol = Callable[..., Awaitable[list[NewCrop]]]
Add = Callable[..., Awaitable[list[NewCrop]]]
Remove = Callable[[AsyncSession, UUID], Awaitable[None]]
MakeWatch = Callable[..., Awaitable[UUID]]

VECTOR, OTHER = unit_rows(100, 2, DIMENSION)
LATER = datetime.now(UTC) + timedelta(hours=1)
EARLIER = datetime.now(UTC) - timedelta(hours=1)


async def hits_of(database: Database, watch_id: UUID) -> list[UUID]:
    async with database.reading() as session:
        wanted = select(WatchHit.crop_id).where(WatchHit.watch_id == watch_id).order_by(WatchHit.number)
        return list(await session.scalars(wanted))


async def change(database: Database, watch_id: UUID, **values: Any) -> None:
    async with database.transaction() as session:
        await WatchRepository(session).hold_evaluation(MODEL_ID)
        await session.execute(update(Watch).where(Watch.id == watch_id).values(**values))


async def cursor_of(database: Database) -> int:
    async with database.reading() as session:
        return (await session.scalars(select(WatchCursor.sequence).where(WatchCursor.model_id == MODEL_ID))).one()


async def head_of(database: Database) -> int:
    async with database.reading() as session:
        return await GalleryRepository(session).head()


class TestFound:
    async def test_what_comes_after_it_and_is_near(
        self, database: Database, enrol: Enrol, make_watch: MakeWatch, evaluator: WatchEvaluator
    ) -> None:
        before = await enrol(database, embedding=VECTOR)
        watch = await make_watch(vector=VECTOR)
        near = await enrol(database, embedding=VECTOR)
        await enrol(database, embedding=OTHER)
        nearer = await enrol(database, embedding=VECTOR)
        await evaluator.evaluate()
        assert await hits_of(database, watch) == [near[0].id, nearer[0].id]
        assert before[0].id not in await hits_of(database, watch)
        assert await cursor_of(database) == await head_of(database)

    async def test_hits_are_numbered_and_carry_their_line(
        self, database: Database, enrol: Enrol, make_watch: MakeWatch, evaluator: WatchEvaluator
    ) -> None:
        watch = await make_watch(vector=VECTOR)
        for _ in range(2):
            await enrol(database, 2, embedding=VECTOR)
            await evaluator.evaluate()
        async with database.reading() as session:
            hits = list(await session.scalars(select(WatchHit).order_by(WatchHit.number)))
            counted = await session.scalar(select(Watch.hits).where(Watch.id == watch))
            lines = {line.crop_id: line.sequence for line in await session.scalars(select(Change))}
        assert [hit.number for hit in hits] == [1, 2, 3, 4]
        assert counted == 4
        assert all(hit.sequence == lines[hit.crop_id] for hit in hits)
        assert all(hit.score == pytest.approx(1, abs=1e-3) for hit in hits)

    async def test_nothing_twice_and_no_old_crop_that_is_changed(
        self, database: Database, enrol: Enrol, make_watch: MakeWatch, evaluator: WatchEvaluator
    ) -> None:
        (old,) = await enrol(database, embedding=VECTOR)
        async with database.transaction() as session:
            await session.execute(update(Crop).values(created_at=EARLIER))
        watch = await make_watch(vector=VECTOR)
        (new,) = await enrol(database, embedding=VECTOR)
        await evaluator.evaluate()
        async with database.transaction() as session:
            collection = await CollectionRepository(session).collection("default")
            assert collection is not None
            await GalleryRepository(session).log_changes(collection.id, [old.id, new.id], deleted=False)
        await evaluator.evaluate()
        assert await hits_of(database, watch) == [new.id]

    async def test_a_crop_that_comes_to_meet_the_conditions(
        self, database: Database, enrol: Enrol, make_watch: MakeWatch, evaluator: WatchEvaluator
    ) -> None:
        watch = await make_watch(vector=VECTOR, filter={"attributes": {"colour": "red"}})
        (crop,) = await enrol(database, embedding=VECTOR)
        await evaluator.evaluate()
        assert await hits_of(database, watch) == []
        async with database.transaction() as session:
            await session.execute(update(Crop).values(attributes={"colour": "red"}))
            await GalleryRepository(session).log_changes(crop.collection_id, [crop.id], deleted=False)
        await evaluator.evaluate()
        assert await hits_of(database, watch) == [crop.id]

    async def test_in_the_audit_log(
        self, database: Database, enrol: Enrol, make_watch: MakeWatch, evaluator: WatchEvaluator
    ) -> None:
        (made, _) = await made_key(database, "search", name="patrol")
        key = made.id
        watch = await make_watch(vector=VECTOR, purpose="case 1", created_by="who made it", key_id=key)
        crops = await enrol(database, 2, embedding=VECTOR)
        await evaluator.evaluate()
        async with database.reading() as session:
            (entry,) = await session.scalars(select(AuditEntry).where(AuditEntry.action == "evaluate_watch"))
        assert (entry.action, entry.collection, entry.purpose) == ("evaluate_watch", "default", "case 1")
        # it is the key's that answers for the watch now
        assert (entry.key_id, entry.key_name, entry.filter) == (key, "patrol", {"watch_id": str(watch)})
        assert sorted(entry.crop_ids) == sorted(crop.id for crop in crops)

    async def test_only_in_its_collection(
        self, database: Database, enrol: Enrol, make_watch: MakeWatch, evaluator: WatchEvaluator
    ) -> None:
        here = await make_watch(vector=VECTOR)
        there = await make_watch(vector=VECTOR, collection="other")
        (crop,) = await enrol(database, embedding=VECTOR)
        (other,) = await enrol(database, embedding=VECTOR, collection="other")
        await evaluator.evaluate()
        assert (await hits_of(database, here), await hits_of(database, there)) == ([crop.id], [other.id])

    async def test_a_message_where_there_is_a_webhook(
        self, database: Database, enrol: Enrol, make_watch: MakeWatch, evaluator: WatchEvaluator
    ) -> None:
        watch = await make_watch(vector=VECTOR, webhook_url="https://example.org/")
        await make_watch(vector=VECTOR)
        await enrol(database, 2, embedding=VECTOR)
        await evaluator.evaluate()
        async with database.reading() as session:
            deliveries = list(await session.scalars(select(Delivery)))
        assert [(one.watch_id, one.state, one.attempts) for one in deliveries] == [(watch, "pending", 0)] * 2

    async def test_more_lines_than_one_step_reads(
        self,
        database: Database,
        enrol: Enrol,
        make_watch: MakeWatch,
        evaluator: WatchEvaluator,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(module, "LINES", 3)
        watch = await make_watch(vector=VECTOR)
        crops = await enrol(database, 8, embedding=VECTOR)
        await evaluator.evaluate()
        assert set(await hits_of(database, watch)) == {crop.id for crop in crops}


class TestNotFound:
    @pytest.mark.parametrize("values", [{"paused": True}, {"expires_at": EARLIER}, {"model_id": "another"}])
    async def test_by_a_watch_that_is_not_active(
        self,
        database: Database,
        enrol: Enrol,
        make_watch: MakeWatch,
        evaluator: WatchEvaluator,
        values: dict[str, Any],
    ) -> None:
        watch, active = await make_watch(vector=VECTOR), await make_watch(vector=VECTOR)
        await change(database, watch, **values)
        crops = await enrol(database, embedding=VECTOR)
        await evaluator.evaluate()
        assert await hits_of(database, watch) == []
        assert await hits_of(database, active) == [crops[0].id]

    async def test_by_a_watch_that_was_paused_after_the_watches_were_read(
        self, database: Database, enrol: Enrol, make_watch: MakeWatch, evaluator: WatchEvaluator
    ) -> None:
        watch = await make_watch(vector=VECTOR)
        await enrol(database, embedding=VECTOR)
        await evaluator.evaluate()
        async with database.transaction() as session:  # without a new revision, as expiry or deletion have none
            await session.execute(update(Watch).values(paused=True))
        await enrol(database, embedding=VECTOR)
        await evaluator.evaluate()
        assert len(await hits_of(database, watch)) == 1

    async def test_by_a_watch_that_is_deleted(
        self, database: Database, enrol: Enrol, make_watch: MakeWatch, evaluator: WatchEvaluator
    ) -> None:
        watch, other = await make_watch(vector=VECTOR), await make_watch(vector=VECTOR)
        await enrol(database, embedding=VECTOR)
        await evaluator.evaluate()
        async with database.transaction() as session:
            await WatchRepository(session).delete(watch)
        await enrol(database, embedding=VECTOR)
        await evaluator.evaluate()
        assert len(await hits_of(database, other)) == 2
        assert await hits_of(database, watch) == []

    async def test_what_is_deleted_before_it_is_looked_at(
        self, database: Database, enrol: Enrol, remove: Remove, make_watch: MakeWatch, evaluator: WatchEvaluator
    ) -> None:
        watch = await make_watch(vector=VECTOR)
        gone, kept = await enrol(database, 2, embedding=VECTOR)
        async with database.transaction() as session:
            await remove(session, gone.id)
        await evaluator.evaluate()
        assert await hits_of(database, watch) == [kept.id]


class TestQueryCrops:
    async def test_what_is_made_of_a_crop_goes_with_it(
        self, database: Database, enrol: Enrol, remove: Remove, make_watch: MakeWatch, evaluator: WatchEvaluator
    ) -> None:
        one, other = await enrol(database, embedding=VECTOR) + await enrol(database, embedding=OTHER)
        watch = await make_watch(one.id, other.id, min_score=0.99)
        await enrol(database, embedding=VECTOR)
        await evaluator.evaluate()
        assert await hits_of(database, watch) == []  # near to one, not to the mean of both
        async with database.transaction() as session:
            await remove(session, other.id)
        (near,) = await enrol(database, embedding=VECTOR)
        await evaluator.evaluate()
        assert await hits_of(database, watch) == [near.id]
        async with database.transaction() as session:
            await remove(session, one.id)
        await enrol(database, embedding=VECTOR)
        await evaluator.evaluate()
        assert await hits_of(database, watch) == [near.id]
        assert evaluator._standings == {}  # nor is its vector in memory

    async def test_another_process_deleted_it_while_this_one_was_idle(
        self, database: Database, enrol: Enrol, remove: Remove, make_watch: MakeWatch, evaluator: WatchEvaluator
    ) -> None:
        (query,) = await enrol(database, embedding=VECTOR)
        watch = await make_watch(query.id)
        await enrol(database, embedding=VECTOR)
        await evaluator.evaluate()
        async with database.transaction() as session:
            await remove(session, query.id)
        await WatchEvaluator(database, MODEL_ID, DIMENSION, 1, lambda: None).evaluate()  # reads the line of it
        await enrol(database, embedding=VECTOR)
        await evaluator.evaluate()
        assert len(await hits_of(database, watch)) == 1


class TestKeys:
    async def test_a_watch_may_what_its_key_may(
        self, database: Database, enrol: Enrol, make_watch: MakeWatch, evaluator: WatchEvaluator
    ) -> None:
        fit, _ = await made_key(database, "search", collections=["default"])
        unfit = [
            (await made_key(database, "read", "enroll"))[0].id,
            (await made_key(database, "search", collections=["other"]))[0].id,
            UUID(int=7),
        ]
        revoked, expired = [(await made_key(database, "search"))[0].id for _ in range(2)]
        async with database.transaction() as session:
            await session.execute(update(ApiKey).where(ApiKey.id == revoked).values(revoked_at=func.now()))
            await session.execute(update(ApiKey).where(ApiKey.id == expired).values(expires_at=func.now()))
        watches = [await make_watch(vector=VECTOR, key_id=key) for key in (fit.id, *unfit, revoked, expired)]
        await enrol(database, embedding=VECTOR)
        await evaluator.evaluate()
        assert [len(await hits_of(database, watch)) for watch in watches] == [1, 0, 0, 0, 0, 0]

    async def test_a_rotated_key_is_the_one_in_its_place(
        self, database: Database, enrol: Enrol, make_watch: MakeWatch, evaluator: WatchEvaluator
    ) -> None:
        keys = [(await made_key(database, "search"))[0].id for _ in range(3)]
        async with database.transaction() as session:
            for old, new in pairwise(keys):
                await session.execute(
                    update(ApiKey).where(ApiKey.id == old).values(replaced_by=new, expires_at=func.now())
                )
        watch = await make_watch(vector=VECTOR, key_id=keys[0])
        await enrol(database, embedding=VECTOR)
        await evaluator.evaluate()
        assert len(await hits_of(database, watch)) == 1
        async with database.transaction() as session:
            await session.execute(update(ApiKey).where(ApiKey.id == keys[2]).values(revoked_at=func.now()))
        await enrol(database, embedding=VECTOR)
        await evaluator.evaluate()
        assert len(await hits_of(database, watch)) == 1


class TestTogether:
    async def test_many_processes_find_everything_once(
        self, database: Database, enrol: Enrol, make_watch: MakeWatch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "LINES", 2)
        watch = await make_watch(vector=VECTOR)
        evaluators = [WatchEvaluator(database, MODEL_ID, DIMENSION, 0.005, lambda: None) for _ in range(3)]
        for one in evaluators:
            one.start()
        crops = [crop for _ in range(10) for crop in await enrol(database, 3, embedding=VECTOR)]
        async with asyncio.timeout(20):
            while len(await hits_of(database, watch)) < len(crops):  # noqa: ASYNC110 - they have no event of it
                await asyncio.sleep(0.02)
        for one in evaluators:
            await one.stop()
        assert sorted(await hits_of(database, watch)) == sorted(crop.id for crop in crops)

    async def test_a_step_that_fails_leaves_nothing_and_is_done_again(
        self,
        database: Database,
        enrol: Enrol,
        make_watch: MakeWatch,
        evaluator: WatchEvaluator,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        watch = await make_watch(vector=VECTOR, webhook_url="https://example.org/")
        (crop,) = await enrol(database, embedding=VECTOR)

        async def fail(*_: object) -> None:
            raise RuntimeError

        with monkeypatch.context() as patch:
            patch.setattr(EvaluationRepository, "move_cursor", fail)
            with pytest.raises(RuntimeError):
                await evaluator.evaluate()
        assert await hits_of(database, watch) == []
        await evaluator.evaluate()
        assert await hits_of(database, watch) == [crop.id]
        async with database.reading() as session:
            assert await session.scalar(select(func.count()).select_from(Delivery)) == 1

    async def test_a_watch_made_while_others_are_evaluated_misses_nothing(
        self, database: Database, enrol: Enrol, make_watch: MakeWatch, evaluator: WatchEvaluator
    ) -> None:
        await make_watch(vector=OTHER)
        async with database.transaction() as session:  # an evaluation under way, which has not seen the new watch
            assert await EvaluationRepository(session, MODEL_ID).take_cursor() is not None
            making = asyncio.create_task(make_watch(vector=VECTOR))
            await asyncio.sleep(0.1)
            assert not making.done()
            await enrol(database, embedding=VECTOR)
            head = await head_of(database)
            await EvaluationRepository(session, MODEL_ID).move_cursor(head, LATER)
        watch = await making
        (after,) = await enrol(database, embedding=VECTOR)
        await evaluator.evaluate()
        assert await hits_of(database, watch) == [after.id]
        async with database.reading() as session:
            assert await session.scalar(select(Watch.sequence).where(Watch.id == watch)) == head

    async def test_an_enrolment_that_commits_after_the_watch_is_made(
        self, database: Database, add: Add, enrol: Enrol, make_watch: MakeWatch, evaluator: WatchEvaluator
    ) -> None:
        await enrol(database, embedding=OTHER)  # there is a collection, so that neither waits for the other to make it
        async with database.transaction() as session:
            (crop,) = await add(session, embedding=VECTOR)
            watch = await make_watch(vector=VECTOR)
        await evaluator.evaluate()
        assert await hits_of(database, watch) == [crop.id]

    async def test_it_does_not_wait_for_enrolments_nor_they_for_it(
        self, database: Database, enrol: Enrol, make_watch: MakeWatch, evaluator: WatchEvaluator
    ) -> None:
        await make_watch(vector=VECTOR)
        async with database.transaction() as session, asyncio.timeout(5):
            await EvaluationRepository(session, MODEL_ID).take_cursor()
            await enrol(database, embedding=VECTOR)
            await evaluator.evaluate()  # another's turn: nothing to do


class TestTrimmedLog:
    async def _trim(self, database: Database, keep: int = 1) -> None:
        """Delete all lines but the last."""
        async with database.transaction() as session:
            head = await GalleryRepository(session).head()
            await session.execute(delete(Change).where(Change.sequence <= head - keep))

    @pytest.fixture(autouse=True)
    def _several_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "LINES", 2)

    async def test_it_goes_on_from_the_crops(
        self, database: Database, enrol: Enrol, remove: Remove, make_watch: MakeWatch, evaluator: WatchEvaluator
    ) -> None:
        (old,) = await enrol(database, embedding=VECTOR)
        async with database.transaction() as session:
            await session.execute(update(Crop).values(created_at=EARLIER))
        watch = await make_watch(vector=VECTOR)
        (known,) = await enrol(database, embedding=VECTOR)
        await evaluator.evaluate()
        missed = [*await enrol(database, 5, embedding=VECTOR), *await enrol(database, embedding=OTHER)]
        async with database.transaction() as session:
            await remove(session, missed[0].id)
        await self._trim(database)
        await evaluator.evaluate()
        found = await hits_of(database, watch)
        assert found[0] == known.id
        assert set(found[1:]) == {crop.id for crop in missed[1:5]}
        assert len(found) == 5
        assert old.id not in found
        assert await cursor_of(database) == await head_of(database)

    async def test_what_came_before_a_later_watch_is_none_of_its_business(
        self, database: Database, enrol: Enrol, make_watch: MakeWatch, evaluator: WatchEvaluator
    ) -> None:
        first = await make_watch(vector=VECTOR)
        (crop,) = await enrol(database, embedding=VECTOR)
        async with database.transaction() as session:
            await session.execute(update(Crop).values(created_at=EARLIER))
            await session.execute(update(Watch).values(started_at=EARLIER))
            await session.execute(update(WatchCursor).values(read_at=EARLIER))
        later = await make_watch(vector=VECTOR)
        await enrol(database, embedding=OTHER)
        await self._trim(database)
        await evaluator.evaluate()
        assert (await hits_of(database, first), await hits_of(database, later)) == ([crop.id], [])

    async def test_another_process_does_it(self, database: Database, enrol: Enrol, make_watch: MakeWatch) -> None:
        watch = await make_watch(vector=VECTOR)
        crops = await enrol(database, 7, embedding=VECTOR)
        await self._trim(database)
        evaluators = [WatchEvaluator(database, MODEL_ID, DIMENSION, 1, lambda: None) for _ in range(3)]
        await asyncio.gather(*(one.evaluate() for one in evaluators))
        await evaluators[0].evaluate()
        assert sorted(await hits_of(database, watch)) == sorted(crop.id for crop in crops)

    async def test_a_log_that_lacks_nothing_is_read_as_it_is(
        self,
        database: Database,
        enrol: Enrol,
        make_watch: MakeWatch,
        evaluator: WatchEvaluator,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        watch = await make_watch(vector=VECTOR)
        await enrol(database, embedding=VECTOR)
        await evaluator.evaluate()
        (crop,) = await enrol(database, embedding=VECTOR)
        await self._trim(database)  # the line that was read last goes, the next one stays

        async def none(*_: object) -> list[UUID]:
            raise AssertionError

        monkeypatch.setattr(EvaluationRepository, "crops_since", none)
        await evaluator.evaluate()
        assert (await hits_of(database, watch))[1:] == [crop.id]


async def test_it_goes_on_after_an_error(
    database: Database, enrol: Enrol, make_watch: MakeWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = await make_watch(vector=VECTOR)
    found = asyncio.Event()
    failures = 0
    take_cursor = EvaluationRepository.take_cursor

    async def fail_once(repository: EvaluationRepository) -> Any:
        nonlocal failures
        failures += 1
        if failures == 1:
            raise RuntimeError
        return await take_cursor(repository)

    monkeypatch.setattr(EvaluationRepository, "take_cursor", fail_once)
    evaluator = WatchEvaluator(database, MODEL_ID, DIMENSION, 0.01, found.set)
    evaluator.start()
    await enrol(database, embedding=VECTOR)
    async with asyncio.timeout(10):
        await found.wait()
    await evaluator.stop()
    assert len(await hits_of(database, watch)) == 1
