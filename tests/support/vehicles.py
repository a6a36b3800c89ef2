"""What people do to vehicles over HTTP and what became of it, in a collection of the test's own."""

from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from service.database.tables import AuditEntry
from service.runtime import Runtime

_NUMBERS = count()


async def said_of(client: httpx.AsyncClient, crop_id: str) -> tuple[str | None, bool]:
    crop = (await client.get(f"/gallery/{crop_id}")).json()
    return crop["vehicle_id"], crop["vehicle_confirmed"]


async def audited(runtime: Runtime, collection: str) -> list[AuditEntry]:
    """What people changed in a collection, in order."""
    async with runtime.database.reading() as session:
        mine = AuditEntry.collection == collection, AuditEntry.action.like("%vehicle%")
        return list(await session.scalars(select(AuditEntry).where(*mine).order_by(AuditEntry.id)))


class Vehicles:
    """What people do to the vehicles of a collection."""

    def __init__(self, client: httpx.AsyncClient, collection: str) -> None:
        self._client, self._collection = client, collection

    async def create(self, *crop_ids: str, **said: Any) -> httpx.Response:
        return await self._client.post(
            "/vehicles", json={"collection": self._collection, "crop_ids": list(crop_ids), **said}
        )

    async def get(self, vehicle_id: str, **query: Any) -> httpx.Response:
        return await self._client.get(f"/vehicles/{vehicle_id}", params={"collection": self._collection, **query})

    async def send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return await self._client.request(
            method, f"/vehicles/{path}", params={"collection": self._collection}, json=body
        )


@pytest.fixture
def collection() -> str:
    """Name of a collection that no other test uses."""
    return f"collection-{next(_NUMBERS)}"


@pytest.fixture
def runtime(shared_client: httpx.AsyncClient) -> Runtime:
    """The parts of the service."""
    parts: Runtime = shared_client._transport.app.state.runtime  # type: ignore[attr-defined]
    return parts


@pytest.fixture
def crops(enroll_shared: Callable[..., Awaitable[httpx.Response]], collection: str) -> Callable[..., Any]:
    """Enrols a crop for each dictionary of its fields; their ids."""

    async def enrolled(*items: dict[str, object]) -> list[str]:
        answer = await enroll_shared(*range(len(items)), items=list(items), collection=collection)
        assert answer.status_code == 201, answer.text
        return [item["id"] for item in answer.json()["items"]]

    return enrolled


@pytest.fixture
def vehicles(shared_client: httpx.AsyncClient, collection: str) -> Vehicles:
    """The vehicles of the test's collection."""
    return Vehicles(shared_client, collection)
