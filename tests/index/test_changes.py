"""A batch of crops that come one by one, in columns, or both ways at once."""

from dataclasses import replace
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from support.vectors import unit_rows

from index.changes import checked_batch
from index.contract import Sighting, SightingColumns
from index.halves import STORED, unit_of

DIMENSION = 16
ROUNDED = unit_of(unit_rows(1, 6, DIMENSION).astype(STORED))[0]
EXACT = unit_rows(2, 6, DIMENSION)


def crop(number: int, embedding: NDArray[np.float32], collection: str = "c", camera: str = "cam") -> Sighting:
    return Sighting(id=UUID(int=number), collection=collection, embedding=embedding, camera_id=camera)


def columns(*crops: Sighting, in_halves: bool) -> SightingColumns:
    made = SightingColumns.of(crops[0].collection, crops, np.array([one.embedding for one in crops]))
    return replace(made, in_halves=in_halves)


def test_columns_alone_are_taken_as_they_are() -> None:
    given = columns(crop(1, ROUNDED[0]), crop(2, ROUNDED[1]), in_halves=True)
    (taken,) = checked_batch([given], [], None, DIMENSION).upserts
    assert taken is given


def test_columns_without_crops_are_none() -> None:
    some = columns(crop(1, ROUNDED[0]), in_halves=True)
    elsewhere = columns(crop(2, ROUNDED[1], collection="d"), in_halves=True)
    batch = checked_batch([elsewhere[:0], some], [], None, DIMENSION)
    assert [(block.collection, len(block)) for block in batch.upserts] == [("c", 1)]
    assert batch.ids == [1]


def test_vectors_in_halves_among_others_are_not_taken_for_all() -> None:
    """What was never rounded would be held unrounded, and no file could be written of it."""
    halves = columns(crop(1, ROUNDED[0]), crop(2, ROUNDED[1]), in_halves=True)
    for others in (columns(crop(3, EXACT[3]), in_halves=False), crop(3, EXACT[3])):
        for upserts in ([halves, others], [others, halves]):
            (taken,) = checked_batch(upserts, [], None, DIMENSION).upserts
            assert not taken.in_halves
            assert sorted(one.id.int for one in taken) == [1, 2, 3]
    both = [halves, columns(crop(3, ROUNDED[3]), in_halves=True)]
    (taken,) = checked_batch(both, [], None, DIMENSION).upserts
    assert taken.in_halves


def test_the_last_that_is_said_of_a_crop_counts_whichever_way_it_came() -> None:
    in_columns = columns(crop(1, ROUNDED[0], camera="a"), crop(2, ROUNDED[1], camera="a"), in_halves=True)
    alone = crop(2, EXACT[2], camera="b")
    elsewhere = columns(crop(1, ROUNDED[4], collection="d", camera="c"), in_halves=True)
    batch = checked_batch([in_columns, alone, elsewhere], [], None, DIMENSION)
    found = {(one.id.int, one.collection): (one.camera_id, one.embedding) for some in batch.upserts for one in some}
    assert {key: camera for key, (camera, _) in found.items()} == {(1, "d"): "c", (2, "c"): "b"}
    np.testing.assert_array_equal(found[2, "c"][1], EXACT[2])
    assert sorted(batch.ids) == [1, 2]
    back = checked_batch([alone, in_columns], [], None, DIMENSION)
    assert sorted((one.id.int, one.camera_id) for some in back.upserts for one in some) == [(1, "a"), (2, "a")]
