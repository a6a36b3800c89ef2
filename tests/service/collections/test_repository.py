"""Rows of the collections."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from service.cameras.repository import CameraRepository
from service.collections.repository import CollectionRepository
from service.database.engine import Database
from service.database.tables import Collection
from service.errors import ModelMismatchError
from service.gallery.records import NewCrop

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

Enrol = Callable[..., Awaitable[list[NewCrop]]]
Remove = Callable[[AsyncSession, UUID], Awaitable[None]]


async def test_a_collection_belongs_to_one_model(database: Database) -> None:
    async with database.transaction() as session:
        await CollectionRepository(session).ensure_collection("default", "model-1")
    with pytest.raises(ModelMismatchError, match="belongs to model model-1"):
        async with database.transaction() as session:
            await CollectionRepository(session).ensure_collection("default", "model-2")


async def test_a_collection_made_by_many_at_once_is_one(database: Database) -> None:
    async def ensure() -> UUID:
        async with database.transaction() as session:
            collection = await CollectionRepository(session).ensure_collection("default", "model-1")
            await CameraRepository(session).ensure(collection.id, {"a", "b"})
            return collection.id

    assert len(set(await asyncio.gather(*(ensure() for _ in range(10))))) == 1
    async with database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(Collection)) == 1
