"""One batch of changes, checked before any of it is applied."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import numpy as np

from index.sightings import Sighting, SightingColumns
from index.times import microseconds
from index.vectors import checked_vectors


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes that passed every check that needs no index.

    Attributes:
        upserts: New or changed crops, those of a collection together, none twice.
        ids: Their ids as 128-bit numbers.
        gone: Ids to forget.
        expired: By collection, microseconds since 1970 before which every crop captured is to be forgotten.
    """

    upserts: Sequence[SightingColumns]
    ids: Sequence[int]
    gone: frozenset[int]
    expired: Mapping[str, int]


def checked_batch(
    upserts: Iterable[Sighting | SightingColumns],
    deletes: Iterable[UUID],
    expired: Mapping[str, datetime] | None,
    dimension: int,
) -> Batch:
    """A batch of changes; see `VectorIndex.apply` for what is refused."""
    blocks = [_checked(block, dimension) for block in _blocks(upserts)]
    ids = [block.ids() for block in blocks]
    flat = [one for some in ids for one in some]
    if len(set(flat)) < len(flat) or len({block.collection for block in blocks}) < len(blocks):
        blocks = _last_of_each(blocks, ids)
        flat = [one for block in blocks for one in block.ids()]
    gone = frozenset(one.int for one in deletes)
    if both := gone.intersection(flat):
        raise ValueError(f"crop {UUID(int=min(both))} is in both upserts and deletes")
    for name, before in (expired or {}).items():
        if before.utcoffset() is None:
            raise ValueError(f"the time before which {name!r} has expired names no time zone: {before.isoformat()}")
    return Batch(blocks, flat, gone, {name: microseconds(before) for name, before in (expired or {}).items()})


def _blocks(upserts: Iterable[Sighting | SightingColumns]) -> list[SightingColumns | list[Sighting]]:
    """The crops in the order given: columns as they are, and crops that come one by one as they follow each other."""
    blocks: list[SightingColumns | list[Sighting]] = []
    for one in upserts:
        if isinstance(one, SightingColumns):
            if len(one):  # a table takes at least a row
                blocks.append(one)
            continue
        last = blocks[-1] if blocks else None
        if not isinstance(last, list) or last[0].collection != one.collection:
            blocks.append(last := [])
        last.append(one)
    return blocks


def _checked(block: SightingColumns | list[Sighting], dimension: int) -> SightingColumns:
    """Columns whose embeddings are what an index takes."""
    if isinstance(block, list):
        embeddings = checked_vectors(
            [one.embedding for one in block], dimension, lambda place: f"crop {block[place].id}"
        )
        return SightingColumns.of(block[0].collection, block, embeddings)
    checked = checked_vectors(block.embeddings, dimension, lambda place: f"crop {block[place].id}")
    return block if checked is block.embeddings else replace(block, embeddings=checked)


def _last_of_each(blocks: Sequence[SightingColumns], ids: Sequence[Sequence[int]]) -> list[SightingColumns]:
    """One block for each collection, and of each crop what was said of it last."""
    last = {one: (number, row) for number, some in enumerate(ids) for row, one in enumerate(some)}
    rows: defaultdict[int, list[int]] = defaultdict(list)
    for number, row in last.values():
        rows[number].append(row)
    by_collection: defaultdict[str, list[SightingColumns]] = defaultdict(list)
    for number, block in enumerate(blocks):
        if number in rows:
            by_collection[block.collection].append(block.at(rows[number]))
    return [joined(some) for some in by_collection.values()]


def joined(blocks: Sequence[SightingColumns]) -> SightingColumns:
    """Blocks of one collection as one.

    Args:
        blocks: At least one.
    """
    if len(blocks) == 1:
        return blocks[0]
    return SightingColumns(
        collection=blocks[0].collection,
        id_high=np.concatenate([one.id_high for one in blocks]),
        id_low=np.concatenate([one.id_low for one in blocks]),
        embeddings=np.concatenate([one.embeddings for one in blocks]),
        times=np.concatenate([one.times for one in blocks]),
        fingerprints=np.concatenate([one.fingerprints for one in blocks]),
        camera_ids=[value for one in blocks for value in one.camera_ids],
        tracks=[value for one in blocks for value in one.tracks],
        vehicle_ids=[value for one in blocks for value in one.vehicle_ids],
        attributes=[value for one in blocks for value in one.attributes],
        in_halves=all(one.in_halves for one in blocks),
    )
