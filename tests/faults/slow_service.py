"""`clip-senet` in slow motion: the real service, with a pause after each step of an enrolment.

The moments between two steps take microseconds; stretched, a kill at a random moment falls into each of them.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from service.cli import app
from service.crops.store import FileCropStore
from service.database.engine import Database
from service.gallery.repository import GalleryRepository

PAUSE_S = 0.1

put, log_changes, transaction = FileCropStore.put, GalleryRepository.log_changes, Database.transaction


async def slow_put(store: FileCropStore, crop_id: UUID, data: bytes) -> None:
    await put(store, crop_id, data)
    await asyncio.sleep(PAUSE_S * (1 + crop_id.int % 3))


async def slow_log_changes(repository: GalleryRepository, *arguments: Any, **options: Any) -> int:
    sequence = await log_changes(repository, *arguments, **options)
    await asyncio.sleep(PAUSE_S)
    return sequence


@asynccontextmanager
async def slow_transaction(database: Database) -> AsyncIterator[AsyncSession]:
    async with transaction(database) as session:
        yield session
    await asyncio.sleep(PAUSE_S)


if __name__ == "__main__":
    FileCropStore.put = slow_put  # type: ignore[method-assign]
    GalleryRepository.log_changes = slow_log_changes  # type: ignore[method-assign]
    Database.transaction = slow_transaction  # type: ignore[method-assign]
    app()
