"""Embedding crops from their stored pictures, behind whatever else the model has to do."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from service.crops.store import CropStore
from service.embedding import EmbeddingQueue, Lane
from service.embedding.prepare import CropPreparer
from service.errors import OverloadedError, ServiceError, UnavailableError

AT_ONCE: Final = 16
"""Pictures in memory at once."""


class StoredPictures:
    """Stored pictures, and the loaded model.

    Args:
        store: The pictures.
        preparer: Decodes them.
        queue: The way to the model.
    """

    def __init__(self, store: CropStore, preparer: CropPreparer, queue: EmbeddingQueue) -> None:
        self._store = store
        self._preparer = preparer
        self._queue = queue

    async def embed(self, crop_ids: Sequence[UUID]) -> Mapping[UUID, NDArray[np.float32]]:
        """Embeddings of crops, each a unit vector of shape (dimension,).

        Crops whose picture is not stored, cannot be read or gives no embedding are in no answer.

        Raises:
            UnavailableError: The store cannot be read, or the model failed as a whole.
        """
        found: dict[UUID, NDArray[np.float32]] = {}
        for start in range(0, len(crop_ids), AT_ONCE):
            some = crop_ids[start : start + AT_ONCE]
            prepared = await asyncio.gather(*map(self._prepared, some))
            pixels = {crop_id: one for crop_id, one in zip(some, prepared, strict=True) if one is not None}
            vectors = await self._queue.embed(list(pixels.values()), Lane.BACKGROUND)
            pairs = zip(pixels, vectors, strict=True)
            found |= {crop_id: vector for crop_id, vector in pairs if isinstance(vector, np.ndarray)}
        return found

    async def _prepared(self, crop_id: UUID) -> NDArray[np.uint8] | None:
        """What the model takes of a picture; None where there is none that can be read."""
        try:
            return (await self._preparer.prepare_file(await self._store.get(crop_id))).pixels
        except (UnavailableError, OverloadedError):
            raise
        except ServiceError:
            return None
