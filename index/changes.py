"""One batch of changes, checked before any of it is applied."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from index.contract import Sighting
from index.times import microseconds
from index.vectors import checked_vectors


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes that passed every check that needs no index.

    Attributes:
        crops: New or changed crops by id, as a 128-bit number.
        embeddings: Their checked embeddings, in the same order, shape (crops, dimension).
        gone: Ids to forget.
        expired: By collection, microseconds since 1970 before which every crop captured is to be forgotten.
    """

    crops: Mapping[int, Sighting]
    embeddings: NDArray[np.float32]
    gone: frozenset[int]
    expired: Mapping[str, int]

    def by_collection(self) -> Mapping[str, tuple[list[Sighting], NDArray[np.float32]]]:
        """The crops of each collection with their embeddings."""
        members: defaultdict[str, list[int]] = defaultdict(list)
        crops: Sequence[Sighting] = list(self.crops.values())
        for place, crop in enumerate(crops):
            members[crop.collection].append(place)
        if len(members) == 1:
            return {next(iter(members)): (list(crops), self.embeddings)}
        return {name: ([crops[place] for place in places], self.embeddings[places]) for name, places in members.items()}


def checked_batch(
    upserts: Iterable[Sighting], deletes: Iterable[UUID], expired: Mapping[str, datetime] | None, dimension: int
) -> Batch:
    """A batch of changes; see `VectorIndex.apply` for what is refused."""
    crops = {sighting.id.int: sighting for sighting in upserts}
    gone = frozenset(one.int for one in deletes)
    if both := gone & crops.keys():
        raise ValueError(f"crop {UUID(int=min(both))} is in both upserts and deletes")
    for name, before in (expired or {}).items():
        if before.utcoffset() is None:
            raise ValueError(f"the time before which {name!r} has expired names no time zone: {before.isoformat()}")
    ids = list(crops)
    embeddings = checked_vectors(
        [one.embedding for one in crops.values()], dimension, lambda place: f"crop {UUID(int=ids[place])}"
    )
    return Batch(crops, embeddings, gone, {name: microseconds(before) for name, before in (expired or {}).items()})
