"""Telling webhooks of hits, in the background: at least once each, again and again for a day.

A message is taken before it is sent, for a while: a process that is killed in between leaves it to whoever looks when
that while is over, and the receiver may get it twice, with the same webhook-id.
"""

import asyncio
import contextlib
import logging
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from service.database.engine import Database
from service.errors import UnavailableError
from service.gallery.repository import GalleryRepository
from service.tasks import ended
from service.watches.delivery_repository import DeliveryRepository, Due, delivered, given_up, retry_at
from service.watches.payload import hit_message
from service.watches.rights_repository import RightsRepository
from service.watches.sender import Outcome, WebhookSender
from service.watches.threshold_repository import ThresholdRepository

logger = logging.getLogger(__name__)

FORBIDDEN = "The key that answers for the watch may no longer search its collection."


@dataclass(frozen=True, slots=True)
class DeliveryRhythm:
    """How often what is done.

    Attributes:
        poll_s: Seconds between two looks for messages that are due when nothing wakes it.
        retry_s: Seconds after which the second attempt is made; each later pause is twice as long.
        longest_pause_s: No pause is longer, jitter apart.
        attempts: Attempts at one message. With 10 s and 2 h, the last of 22 is made 25 hours after the first.
        at_once: Messages that are under way in this process at most.
        of_each: Messages of one watch among them at most.
    """

    poll_s: float = 0.5
    retry_s: float = 10.0
    longest_pause_s: float = 7200.0
    attempts: int = 22
    at_once: int = 64
    of_each: int = 2


class Deliverer:
    """Sends the messages of all watches.

    Args:
        database: The truth.
        sender: Sends one, once.
        rhythm: How often what is done.
    """

    def __init__(self, database: Database, sender: WebhookSender, rhythm: DeliveryRhythm) -> None:
        self._database = database
        self._sender = sender
        self._rhythm = rhythm
        # Twice what an attempt may take: whoever sends has noted the outcome before another begins.
        self._lease = timedelta(seconds=2 * sender.timeout_s + 1)
        self._under_way: dict[asyncio.Task[None], Due] = {}
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in the background."""
        self._task = asyncio.create_task(self._work(), name="webhooks")

    async def stop(self) -> None:
        """End; what is under way is sent again by whoever is next."""
        if self._task is not None:
            await ended(self._task, *self._under_way)
            self._task = None

    def wake(self) -> None:
        """Look for messages now."""
        self._woken.set()

    async def _work(self) -> None:
        while True:
            try:
                await self._send_due()
            except UnavailableError as error:
                logger.warning("Webhooks have to wait: %s", error.detail)
            except Exception:
                logger.exception("Webhooks could not be looked for; it is tried again")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._rhythm.poll_s):
                    await self._woken.wait()
            self._woken.clear()

    async def _send_due(self) -> None:
        """Begin to send what is due and has room."""
        free = self._rhythm.at_once - len(self._under_way)
        if free > 0:
            for due, message in await self._take(free):
                task = asyncio.create_task(self._deliver(due, message), name=f"webhook {due.id}")
                self._under_way[task] = due
                task.add_done_callback(self._let_go)

    async def _take(self, most: int) -> list[tuple[Due, dict[str, Any]]]:
        """Messages that are due, of watches none of whose is under way here."""
        async with self._database.transaction() as session:
            deliveries = DeliveryRepository(session)
            busy = {one.watch_id for one in self._under_way.values()}
            due = await deliveries.take_due(limit=most, of_each=self._rhythm.of_each, besides=busy, lease=self._lease)
            permitted = await RightsRepository(session).permitted((one.key_id, one.collection) for one in due)
            for one in due:
                if (one.key_id, one.collection) not in permitted:
                    await deliveries.settle(one.id, one.attempt, {"last_error": FORBIDDEN, **given_up()})
            crops = await GalleryRepository(session).many(one.hit.crop_id for one in due)
            thresholds = await ThresholdRepository(session).of_collections(one.collection_id for one in due)
        return [
            (one, hit_message(one, crops[one.hit.crop_id], thresholds.get((one.collection_id, one.model_id))))
            for one in due
            if (one.key_id, one.collection) in permitted and one.hit.crop_id in crops
        ]

    def _let_go(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        self.wake()

    async def _deliver(self, due: Due, message: dict[str, Any]) -> None:
        outcome = await self._sender.send(due.webhook_url, str(due.id), message, due.secrets)
        try:
            async with self._database.transaction() as session:
                await DeliveryRepository(session).settle(due.id, due.attempt, self._columns(due, outcome))
        except UnavailableError as error:
            logger.warning("What came of webhook %s is not noted, it is sent again: %s", due.id, error.detail)

    def _columns(self, due: Due, outcome: Outcome) -> dict[str, Any]:
        told = {"last_status": outcome.status, "last_error": outcome.error}
        if outcome.delivered:
            return told | delivered()
        if outcome.final or due.attempt >= self._rhythm.attempts:
            logger.warning("Webhook %s of watch %s is given up: %s", due.id, due.watch_id, outcome.error)
            return told | given_up()
        return told | retry_at(self.pause_s(due.attempt, outcome.retry_after_s))

    def pause_s(self, attempt: int, retry_after_s: float | None = None) -> float:
        """How long to wait after an attempt that failed, in seconds.

        Args:
            attempt: Its number, from 1.
            retry_after_s: What the receiver asked for; it is not waited for longer than the longest pause.
        """
        longest = self._rhythm.longest_pause_s
        pause: float = min(self._rhythm.retry_s * 2 ** (attempt - 1), longest) * random.uniform(0.75, 1.25)
        return max(pause, min(retry_after_s or 0.0, longest))
