"""Crops in columns are the crops, whichever way they are looked at."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import numpy as np
import pytest
from support.vectors import unit_rows

from index.contract import Sighting, SightingColumns

CROPS = [
    Sighting(
        id=UUID(int=(number << 70) + number),
        collection="c",
        embedding=embedding,
        camera_id=f"cam-{number % 2}",
        captured_at=None if number == 1 else datetime(2026, 11, number + 1, 12, 0, 0, number, tzinfo=UTC),
        track=None if number == 2 else (None, str(number)),
        vehicle_id=None if number == 3 else f"v{number}",
        attributes={"n": number},
        fingerprint=2**64 - 1 - number,
    )
    for number, embedding in enumerate(unit_rows(1, 5, 8))
]


@pytest.fixture
def columns() -> SightingColumns:
    return SightingColumns.of("c", CROPS, np.array([crop.embedding for crop in CROPS]))


def assert_equal(one: Sighting, other: Sighting) -> None:
    np.testing.assert_array_equal(one.embedding, other.embedding)
    for name in ("id", "collection", "camera_id", "captured_at", "track", "vehicle_id", "attributes", "fingerprint"):
        assert getattr(one, name) == getattr(other, name), name


def test_give_back_each_crop(columns: SightingColumns) -> None:
    assert len(columns) == len(CROPS)
    for given, crop in zip(columns, CROPS, strict=True):
        assert_equal(given, crop)
    assert columns.ids() == [crop.id.int for crop in CROPS]


def test_a_slice_and_chosen_rows_are_columns_too(columns: SightingColumns) -> None:
    assert [one.id for one in columns[1:4:2]] == [CROPS[1].id, CROPS[3].id]
    chosen = replace(columns, in_halves=True).at([4, 0], collection="other")
    assert [(one.id, one.collection) for one in chosen] == [(CROPS[4].id, "other"), (CROPS[0].id, "other")]
    assert chosen.in_halves
    with pytest.raises(IndexError):
        columns[5]


def test_columns_of_different_lengths_are_refused(columns: SightingColumns) -> None:
    with pytest.raises(ValueError, match=r"columns of different lengths: .*'camera_ids': 4"):
        replace(columns, camera_ids=columns.camera_ids[:4])
