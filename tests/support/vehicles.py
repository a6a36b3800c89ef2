"""What people do to vehicles over HTTP, and what became of it."""

from typing import Any

import httpx
from sqlalchemy import select

from service.database.tables import AuditEntry
from service.runtime import Runtime


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
