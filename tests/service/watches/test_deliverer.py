"""Delivery: at least once, again after failures, not for ever, and no receiver at the cost of another."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update
from support.following import DIMENSION
from support.keys import made_key
from support.vectors import unit_rows
from support.webhooks import Receiver, receiving, until

from service.database.engine import Database
from service.database.tables import ApiKey, Collection, Delivery, Watch, WatchHit
from service.gallery.records import NewCrop
from service.watches.deliverer import FORBIDDEN, Deliverer, DeliveryRhythm
from service.watches.delivery_repository import DeliveryRepository, delivered
from service.watches.evaluator import WatchEvaluator
from service.watches.sender import WebhookSender
from service.watches.signing import signed_headers

Enrol = Callable[..., Awaitable[list[NewCrop]]]
MakeWatch = Callable[..., Awaitable[UUID]]
Start = Callable[..., Deliverer]
Hit = Callable[..., Awaitable[list[NewCrop]]]
Remove = Callable[..., Awaitable[None]]

(VECTOR,) = unit_rows(200, 1, DIMENSION)
QUICK = DeliveryRhythm(poll_s=0.01, retry_s=0.02, longest_pause_s=0.05, attempts=4)


@pytest.fixture
async def start(database: Database, sender: WebhookSender) -> AsyncIterator[Start]:
    """Starts deliverers, which are stopped at the end."""
    started = []

    def run(rhythm: DeliveryRhythm = QUICK) -> Deliverer:
        deliverer = Deliverer(database, sender, rhythm)
        deliverer.start()
        started.append(deliverer)
        return deliverer

    yield run
    for deliverer in started:
        await deliverer.stop()


@pytest.fixture
def told(make_watch: MakeWatch, receiver: Receiver) -> MakeWatch:
    """Makes a watch that finds VECTOR and tells the receiver."""
    return partial(make_watch, vector=VECTOR, webhook_url=receiver.url)


@pytest.fixture
def hit(database: Database, enrol: Enrol, evaluator: WatchEvaluator) -> Hit:
    """Enrols crops that every watch finds."""

    async def make(count: int = 1, **fields: Any) -> list[NewCrop]:
        crops = await enrol(database, count, embedding=VECTOR, **fields)
        await evaluator.evaluate()
        return crops

    return make


async def deliveries(database: Database) -> list[Delivery]:
    async with database.reading() as session:
        return list(await session.scalars(select(Delivery).order_by(Delivery.id)))


async def settled(database: Database, *states: str) -> list[Delivery]:
    """The deliveries, once they are in these states."""
    async with asyncio.timeout(15):
        while sorted(one.state for one in await deliveries(database)) != sorted(states):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return await deliveries(database)


class TestDelivered:
    async def test_what_a_receiver_is_told(
        self, database: Database, make_watch: MakeWatch, receiver: Receiver, hit: Hit, start: Start
    ) -> None:
        watch = await make_watch(vector=VECTOR, webhook_url=receiver.url, name="taxi")
        await hit(camera_id="gate", attributes={"colour": "red"})
        start()
        (delivery,) = await settled(database, "delivered")
        assert (delivery.attempts, delivery.last_status, delivery.last_error) == (1, 204, None)
        assert delivery.delivered_at is not None
        assert receiver.ids == [str(delivery.id)]
        message = receiver.bodies[0]
        assert message["type"] == "watch.hit"
        assert datetime.fromisoformat(message["timestamp"]) == delivery.created_at
        data = message["data"]
        assert data["watch"] == {"id": str(watch), "name": "taxi", "collection": "default"}
        assert data["hit"]["id"] == str(delivery.hit_id)
        assert data["hit"]["score"] == pytest.approx(1, abs=1e-3)
        assert data["hit"]["crop"]["camera_id"] == "gate"
        assert data["hit"]["crop"]["attributes"] == {"colour": "red"}
        assert data["hit"]["image_url"] == f"/gallery/{data['hit']['crop']['id']}/image"

    async def test_both_secrets_sign_while_one_replaces_the_other(
        self, database: Database, make_watch: MakeWatch, receiver: Receiver, hit: Hit, start: Start
    ) -> None:
        old = {"previous_secret": "whsec_b2xk", "previous_secret_until": func.now() + timedelta(hours=1)}
        await make_watch(vector=VECTOR, webhook_url=receiver.url, **old)
        await hit()
        start()
        await receiver.wait_for(1)
        (headers,) = receiver.received
        time = int(headers["webhook-timestamp"])
        both = signed_headers(headers["webhook-id"], time, receiver.raw[0], ["whsec_c2VjcmV0", "whsec_b2xk"])
        assert headers["webhook-signature"] == both["webhook-signature"]
        async with database.transaction() as session:
            await session.execute(update(Watch).values(previous_secret_until=func.now()))
        await hit()
        await receiver.wait_for(2)
        assert len(receiver.received[1]["webhook-signature"].split()) == 1

    async def test_many_and_each_once(
        self, database: Database, told: MakeWatch, receiver: Receiver, hit: Hit, start: Start
    ) -> None:
        for _ in range(5):
            await told()
        await hit(10)
        start()
        start()
        await settled(database, *["delivered"] * 50)
        assert sorted(receiver.ids) == sorted(str(one.id) for one in await deliveries(database))


class TestFailed:
    async def test_it_is_tried_again_with_a_new_time_and_the_same_id(
        self, database: Database, told: MakeWatch, receiver: Receiver, hit: Hit, start: Start
    ) -> None:
        await told()
        await hit()
        receiver.statuses = [500, 404, 429]
        start()
        (delivery,) = await settled(database, "delivered")
        assert delivery.attempts == 4
        assert receiver.ids == [str(delivery.id)] * 4

    async def test_it_is_given_up_and_seen(
        self, database: Database, told: MakeWatch, receiver: Receiver, hit: Hit, start: Start
    ) -> None:
        await told()
        await hit()
        receiver.statuses = [500] * 10
        start()
        (delivery,) = await settled(database, "dead")
        assert (delivery.attempts, delivery.last_status) == (4, 500)
        assert delivery.last_error == "The receiver answered 500."
        assert delivery.next_attempt_at is None
        await asyncio.sleep(0.1)
        assert len(receiver.received) == 4

    async def test_gone_is_given_up_at_once(
        self, database: Database, told: MakeWatch, receiver: Receiver, hit: Hit, start: Start
    ) -> None:
        await told()
        await hit()
        receiver.statuses = [410]
        start()
        (delivery,) = await settled(database, "dead")
        assert delivery.attempts == 1

    async def test_the_plan_survives_a_restart(
        self, database: Database, told: MakeWatch, receiver: Receiver, hit: Hit, start: Start
    ) -> None:
        await told()
        await hit()
        receiver.statuses = [500]
        first = start(DeliveryRhythm(poll_s=0.01, retry_s=0.6))
        await until(lambda: len(receiver.received) == 1)
        async with asyncio.timeout(5):
            while (await deliveries(database))[0].last_status is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await first.stop()
        start()
        await asyncio.sleep(0.1)
        assert len(receiver.received) == 1  # not before its time
        await settled(database, "delivered")

    async def test_what_a_process_left_is_sent_when_its_time_is_over(
        self, database: Database, told: MakeWatch, receiver: Receiver, hit: Hit, start: Start
    ) -> None:
        await told()
        await hit()
        async with database.transaction() as session:  # a process that takes it and dies
            lease = timedelta(seconds=0.4)
            (due,) = await DeliveryRepository(session).take_due(limit=1, of_each=1, besides=set(), lease=lease)
        start()
        await asyncio.sleep(0.1)
        assert receiver.received == []
        (delivery,) = await settled(database, "delivered")
        assert delivery.attempts == 2
        async with database.transaction() as session:  # it was not dead after all, and is late
            await DeliveryRepository(session).settle(due.id, due.attempt, {"state": "dead", "next_attempt_at": None})
        assert (await deliveries(database))[0].state == "delivered"


class TestPauses:
    def test_they_grow_to_a_day(self, database: Database, sender: WebhookSender) -> None:
        rhythm = DeliveryRhythm()
        deliverer = Deliverer(database, sender, rhythm)
        pauses = [[deliverer.pause_s(attempt) for _ in range(200)] for attempt in range(1, rhythm.attempts)]
        means = [sum(some) / len(some) for some in pauses]
        assert means[0] == pytest.approx(10, rel=0.1)
        assert means[1] == pytest.approx(20, rel=0.1)
        assert means[-1] == pytest.approx(7200, rel=0.1)
        assert 23 * 3600 < sum(means) < 27 * 3600
        assert all(max(some) > 1.3 * min(some) for some in pauses)  # not all at once

    def test_a_receiver_may_ask_for_more(self, database: Database, sender: WebhookSender) -> None:
        deliverer = Deliverer(database, sender, DeliveryRhythm())
        assert deliverer.pause_s(1, 100.0) == 100
        assert deliverer.pause_s(1, 1.0) >= 7.5
        assert deliverer.pause_s(1, 1e9) == 7200


class TestFairness:
    async def test_a_receiver_that_hangs_holds_up_no_other(
        self, told: MakeWatch, receiver: Receiver, hit: Hit, start: Start
    ) -> None:
        with receiving() as hanging:
            hanging.delay = threading.Event()
            for _ in range(3):
                await told(webhook_url=hanging.url)
            await hit(20)  # due before the others, and a second each
            await told()
            await hit(20)
            start(DeliveryRhythm(poll_s=0.01, at_once=8, of_each=2, retry_s=60))
            await receiver.wait_for(20)
            assert 6 <= len(hanging.received) < 60

    async def test_no_more_than_there_is_room_for(
        self, told: MakeWatch, receiver: Receiver, hit: Hit, start: Start
    ) -> None:
        receiver.delay = threading.Event()
        for _ in range(5):
            await told()
        await hit(5)
        start(DeliveryRhythm(poll_s=0.01, at_once=3))
        await receiver.wait_for(3)
        await asyncio.sleep(0.2)
        assert len(receiver.received) == 3


class TestNotSent:
    @pytest.mark.parametrize("column", ["paused", "webhook_url"])
    async def test_while_the_watch_wants_none(
        self, database: Database, told: MakeWatch, hit: Hit, start: Start, column: str
    ) -> None:
        watch = await told()
        await hit()
        async with database.transaction() as session:
            url = (await session.scalars(select(Watch.webhook_url).where(Watch.id == watch))).one()
            await session.execute(update(Watch).values({column: True if column == "paused" else None}))
        start()
        await asyncio.sleep(0.1)
        assert [one.attempts for one in await deliveries(database)] == [0]
        async with database.transaction() as session:
            await session.execute(update(Watch).values(paused=False, webhook_url=url))
        await settled(database, "delivered")

    async def test_by_a_watch_whose_key_was_revoked(
        self, database: Database, make_watch: MakeWatch, receiver: Receiver, hit: Hit, start: Start
    ) -> None:
        key, _ = await made_key(database, "search")
        await make_watch(vector=VECTOR, webhook_url=receiver.url, key_id=key.id)
        await hit()
        async with database.transaction() as session:
            await session.execute(update(ApiKey).values(revoked_at=func.now()))
        start()
        (delivery,) = await settled(database, "dead")
        assert delivery.last_error == FORBIDDEN
        assert receiver.received == []

    async def test_of_a_crop_that_was_deleted(
        self, database: Database, told: MakeWatch, hit: Hit, start: Start, remove: Remove
    ) -> None:
        await told()
        gone, kept = await hit(2)
        async with database.transaction() as session:
            await remove(session, gone.id)
        start()
        (delivery,) = await settled(database, "delivered")
        async with database.reading() as session:
            told_of = await session.scalar(select(WatchHit.crop_id).where(WatchHit.id == delivery.hit_id))
        assert told_of == kept.id


async def test_a_message_taken_is_no_other_process_s(database: Database, make_watch: MakeWatch, hit: Hit) -> None:
    await make_watch(vector=VECTOR, webhook_url="https://example.org/")
    await hit(3)
    lease = timedelta(seconds=30)
    async with database.transaction() as session:
        first = await DeliveryRepository(session).take_due(limit=2, of_each=2, besides=set(), lease=lease)
        async with database.transaction() as other:
            second = await DeliveryRepository(other).take_due(limit=5, of_each=5, besides=set(), lease=lease)
    assert (len(first), len(second)) == (2, 1)
    assert len({due.id for due in (*first, *second)}) == 3
    async with database.transaction() as session:
        assert await DeliveryRepository(session).take_due(limit=5, of_each=5, besides=set(), lease=lease) == []
        await DeliveryRepository(session).settle(first[0].id, 1, delivered())
    assert sorted(one.state for one in await deliveries(database)) == ["delivered", "pending", "pending"]
    async with database.reading() as session:
        assert (await session.scalars(select(Collection.name))).one() == "default"
