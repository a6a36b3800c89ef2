"""Embeddings of enrolled crops, read from the truth."""

from collections.abc import Iterable
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from service.database.tables import Crop, Embedding
from service.database.vectors import decode


class EmbeddingRepository:
    """Reads embeddings within one session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def of_crops(
        self, collection_id: UUID, model_id: str, crop_ids: Iterable[UUID], *, keep: bool = False
    ) -> dict[UUID, NDArray[np.float32]]:
        """The embeddings by a model of the crops that the collection holds, by crop; those of others are left out.

        Args:
            collection_id: The collection.
            model_id: The model.
            crop_ids: The crops.
            keep: Whether they are kept from being deleted until the end of the transaction.

        Returns:
            Unit-length vectors, shape (dimension,), float32.
        """
        query = (
            select(Embedding.crop_id, Embedding.vector)
            .join(Crop, Crop.id == Embedding.crop_id)
            .where(Crop.collection_id == collection_id, Embedding.model_id == model_id, Crop.id.in_(list(crop_ids)))
        )
        if keep:  # in one order, as those that delete them lock them
            query = query.order_by(Crop.id).with_for_update(of=Crop, read=True, key_share=True)
        return {crop_id: decode(vector) for crop_id, vector in await self._session.execute(query)}
