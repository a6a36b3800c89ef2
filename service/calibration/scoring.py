"""The scores of labelled pairs, from the vectors that are stored."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from service.calibration.pairs import LabelledPair, ScoredPair
from service.database.engine import Session
from service.database.tables import Collection
from service.errors import NotFoundError
from service.search.repository import EmbeddingRepository

_PAIRS_AT_ONCE: Final = 500
"""So that few vectors are in memory, and the event loop is not held for long."""


async def scored(session: Session, collection: Collection, pairs: Sequence[LabelledPair]) -> list[ScoredPair]:
    """The pairs with the cosine similarities that a search by one of the two would show.

    Raises:
        NotFoundError: The collection does not hold one of the crops.
    """
    embeddings = EmbeddingRepository(session)
    found: list[ScoredPair] = []
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        some = pairs[start : start + _PAIRS_AT_ONCE]
        wanted = {pair.crop_id for pair in some} | {pair.other_crop_id for pair in some}
        vectors = await embeddings.of_crops(collection.id, collection.model_id, wanted)
        if missing := wanted - vectors.keys():
            raise NotFoundError(
                f"The collection {collection.name!r} holds no crop {min(missing)}; it may have been deleted."
            )
        found += [_scored(pair, vectors) for pair in some]
    return found


def _scored(pair: LabelledPair, vectors: Mapping[UUID, NDArray[np.float32]]) -> ScoredPair:
    one, other = (vectors[crop_id].astype(np.float64) for crop_id in (pair.crop_id, pair.other_crop_id))
    score = float(np.clip(np.float32(one @ other), -1, 1))
    return ScoredPair(pair.crop_id, pair.other_crop_id, pair.same, score)
