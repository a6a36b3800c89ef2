"""`clip-senet` in slow motion: the real service, with a pause after each step of an enrolment.

The moments between two steps take microseconds. Here each is stretched and told by a line in the file FAULT_STEPS, so
that a kill can be aimed at it.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from service.cli import app
from service.crops.store import FileCropStore
from service.database.engine import Database
from service.gallery.repository import GalleryRepository

PAUSE_S = 0.2
STEPS = Path(os.environ["FAULT_STEPS"])

put, log_changes, transaction = FileCropStore.put, GalleryRepository.log_changes, Database.transaction


async def pause_after(step: str) -> None:
    with STEPS.open("a") as steps:  # noqa: ASYNC230 - a line of text is nothing to wait for
        steps.write(f"{step}\n")
    await asyncio.sleep(PAUSE_S)


async def slow_put(store: FileCropStore, crop_id: UUID, data: bytes) -> None:
    await put(store, crop_id, data)
    await pause_after("put")


async def slow_log_changes(repository: GalleryRepository, *arguments: Any, **options: Any) -> int:
    sequence = await log_changes(repository, *arguments, **options)
    repository._session.info["enrols"] = True
    await pause_after("log_changes")
    return sequence


@asynccontextmanager
async def slow_transaction(database: Database) -> AsyncIterator[AsyncSession]:
    async with transaction(database) as session:
        yield session
    if "enrols" in session.info:  # not one of the many that keep the service going
        await pause_after("commit")


if __name__ == "__main__":
    FileCropStore.put = slow_put  # type: ignore[method-assign]
    GalleryRepository.log_changes = slow_log_changes  # type: ignore[method-assign]
    Database.transaction = slow_transaction  # type: ignore[method-assign]
    app()
