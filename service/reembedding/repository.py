"""Crops of a collection that have no vector of a model yet."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert

from service.change_log_repository import ChangeLines
from service.database.ids import among
from service.database.tables import Collection, Crop, Embedding
from service.database.vectors import encode


class ReembeddingRepository(ChangeLines):
    """Reads and writes vectors within one session; commits nothing itself."""

    async def count_without(self, collection_id: UUID, model_id: str) -> int:
        """Crops of a collection that have no vector of a model."""
        without = select(func.count()).select_from(Crop).where(_without(collection_id, model_id))
        return await self._session.scalar(without) or 0

    async def next_without(
        self, collection_id: UUID, model_id: str, limit: int, after: UUID | None = None
    ) -> dict[UUID, bool]:
        """The next crops, in the order of their ids, that have no vector of a model, and whether each has a picture."""
        query = select(Crop.id, Crop.has_image).where(_without(collection_id, model_id))
        if after is not None:
            query = query.where(Crop.id > after)
        return dict((await self._session.execute(query.order_by(Crop.id).limit(limit))).all())

    async def add(self, collection_id: UUID, model_id: str, vectors: Mapping[UUID, NDArray[np.float32]]) -> int:
        """Write vectors of a model, of those crops that are still there, and tell every index. Call it last.

        Args:
            collection_id: The collection of all the crops.
            model_id: The model.
            vectors: Unit vectors by crop; one that is there already stays.

        Returns:
            The number of the last change; `head` where there were none.
        """
        # a deletion under way is waited for, and none begins
        here = (
            select(Crop.id).where(among(Crop.id, vectors)).order_by(Crop.id).with_for_update(read=True, key_share=True)
        )
        crop_ids = list(await self._session.scalars(here))
        rows = [{"crop_id": one, "model_id": model_id, "vector": encode(vectors[one])} for one in crop_ids]
        if rows:
            await self._session.execute(insert(Embedding).values(rows).on_conflict_do_nothing())
        return await self.log_changes(collection_id, crop_ids, deleted=False)

    async def still_without(self, collection_id: UUID, model_id: str, crop_ids: Sequence[UUID]) -> list[UUID]:
        """Which of these crops are there and have no vector of a model."""
        bare = select(Crop.id).where(_without(collection_id, model_id), among(Crop.id, crop_ids))
        return list(await self._session.scalars(bare))

    async def switch(self, collection_id: UUID, model_id: str) -> None:
        """Make a collection one of another model."""
        await self._session.execute(update(Collection).where(Collection.id == collection_id).values(model_id=model_id))


def _without(collection_id: UUID, model_id: str) -> ColumnElement[bool]:
    vector = exists().where(Embedding.crop_id == Crop.id, Embedding.model_id == model_id)
    return (Crop.collection_id == collection_id) & ~vector
