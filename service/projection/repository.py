"""A collection's vectors of one model, and the same crops' vectors of a second one until nothing is left to make."""

from collections.abc import AsyncGenerator, Mapping
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Exists, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from service.database.tables import Collection, Crop, Embedding
from service.database.vectors import decode, encode
from service.errors import InvalidValueError


class ProjectionRepository:
    """Reads and writes vectors of one collection within one session; commits nothing itself."""

    def __init__(self, session: AsyncSession, collection_id: UUID) -> None:
        self._session = session
        self._collection_id = collection_id

    async def count(self, model_id: str) -> int:
        """Crops of the collection that have a vector of the model."""
        crops = select(func.count()).select_from(Crop).where(*self._in_collection(), _has_vector(model_id))
        return await self._session.scalar(crops) or 0

    async def vectors(self, model_id: str, batch: int) -> AsyncGenerator[NDArray[np.float32], None]:
        """Vectors of the model, streamed through a cursor of the server, shape (at most batch, dimension) each.

        Raises:
            InvalidValueError: A stored vector is broken, or vectors differ in length.
        """
        query = select(Embedding.crop_id, Embedding.vector).join(Crop).where(*self._in_collection())
        query = query.where(Embedding.model_id == model_id)
        result = await self._session.stream(query, execution_options={"yield_per": batch})
        try:
            async for rows in result.partitions():
                yield _stacked(dict(rows))
        finally:
            await result.close()

    async def left(
        self, model_id: str, new_model_id: str, limit: int, after: UUID | None = None
    ) -> tuple[list[UUID], NDArray[np.float32]]:
        """The next crops, in the order of their ids, that have a vector of the one model and none of the other.

        They are locked against being deleted until the end of the transaction; a deletion under way is waited for.

        Args:
            model_id: The model that they have a vector of.
            new_model_id: The model that they have none of.
            limit: How many at most.
            after: Only crops of greater ids.

        Returns:
            Their ids and their vectors of the first model, shape (crops, dimension).

        Raises:
            InvalidValueError: A stored vector is broken, or vectors differ in length.
        """
        query = select(Crop.id, Embedding.vector).join(Embedding, Embedding.crop_id == Crop.id)
        query = query.where(*self._in_collection(), Embedding.model_id == model_id, ~_has_vector(new_model_id))
        if after is not None:
            query = query.where(Crop.id > after)
        query = query.order_by(Crop.id).limit(limit).with_for_update(read=True, key_share=True, of=Crop)
        found = dict((await self._session.execute(query)).all())
        return list(found), _stacked(found)

    async def add(self, model_id: str, crop_ids: list[UUID], vectors: NDArray[np.float32]) -> None:
        """Write vectors of a model; one that is there already stays."""
        if not crop_ids:
            return
        rows = [
            {"crop_id": crop_id, "model_id": model_id, "vector": encode(vector)}
            for crop_id, vector in zip(crop_ids, vectors, strict=True)
        ]
        await self._session.execute(insert(Embedding).values(rows).on_conflict_do_nothing())

    async def without(self, model_id: str) -> int:
        """Crops of the collection that have no vector of the model."""
        crops = select(func.count()).select_from(Crop).where(*self._in_collection(), ~_has_vector(model_id))
        return await self._session.scalar(crops) or 0

    async def switch(self, model_id: str) -> None:
        """Make the collection one of another model."""
        await self._session.execute(
            update(Collection).where(Collection.id == self._collection_id).values(model_id=model_id)
        )

    def _in_collection(self) -> list[ColumnElement[bool]]:
        return [Crop.collection_id == self._collection_id]


def _has_vector(model_id: str) -> Exists:
    vector = aliased(Embedding)
    return exists().where(vector.crop_id == Crop.id, vector.model_id == model_id)


def _stacked(stored: Mapping[UUID, bytes]) -> NDArray[np.float32]:
    vectors = []
    for crop_id, data in stored.items():
        try:
            vectors.append(decode(data))
        except ValueError as error:
            raise InvalidValueError(f"Crop {crop_id}: {error} Delete the crop and enroll it again.") from error
    if len({len(vector) for vector in vectors}) > 1:
        raise InvalidValueError("The stored vectors of one model differ in length: the database is damaged.")
    return np.array(vectors, dtype=np.float32).reshape(len(vectors), -1) if vectors else np.empty((0, 0), np.float32)
