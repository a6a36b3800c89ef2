"""Receivers of webhooks, and watches made straight in the database."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from support.following import DIMENSION, MODEL_ID
from support.webhooks import Receiver, receiving
from uuid_utils.compat import uuid7

from service.collections.repository import CollectionRepository
from service.database.engine import Database
from service.database.vectors import encode
from service.watches.addresses import Destinations
from service.watches.evaluator import WatchEvaluator
from service.watches.repository import WatchRepository
from service.watches.sender import WebhookSender

MakeWatch = Callable[..., Awaitable[UUID]]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of webhooks on loopback."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture
async def sender() -> AsyncIterator[WebhookSender]:
    """Sends to loopback, and gives up after a second."""
    sender = WebhookSender(Destinations([], loopback=True), 1.0, 1.0)
    yield sender
    await sender.close()


@pytest.fixture
def make_watch(database: Database) -> MakeWatch:
    """Makes a watch of a collection, for crops of it or for a vector; `values` are columns."""

    async def make(*crop_ids: UUID, collection: str = "default", vector: Any = None, **values: Any) -> UUID:
        watch_id, model_id = uuid7(), values.get("model_id", MODEL_ID)
        row = {
            "name": "watch",
            "model_id": model_id,
            "filter": {},
            "exclude_same_track": True,
            "min_score": None if values.get("decision") else 0.9,
            "webhook_secret": "whsec_c2VjcmV0",
            "paused": False,
            "vector": None if vector is None else encode(vector),
            **values,
        }
        async with database.transaction() as session:
            owner = await CollectionRepository(session).ensure_collection(collection, model_id)
            watches = WatchRepository(session)
            begun = await watches.hold_evaluation(model_id)
            await watches.add(watch_id, {"collection_id": owner.id, "sequence": begun, **row}, crop_ids)
        return watch_id

    return make


@pytest.fixture
def evaluator(database: Database) -> WatchEvaluator:
    """An evaluator that is not started; `evaluate` does what there is to do."""
    return WatchEvaluator(database, MODEL_ID, DIMENSION, 0.02, lambda: None)
