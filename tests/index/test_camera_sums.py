"""Sums of many cameras at once are those of each camera alone."""

from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from support.segments import DIMENSION, unit_vectors, written

from index.camera_sums import CameraSums, camera_sums
from index.contract import Sighting


@pytest.mark.parametrize(("rows", "cameras"), [(1, 1), (50, 60), (9_000, 1), (9_000, 7), (9_000, 3_000)])
def test_sums_of_many_cameras_are_those_of_each(rows: int, cameras: int) -> None:
    random = np.random.default_rng(rows + cameras)
    vectors = unit_vectors(rows, random)
    codes = random.integers(cameras, size=rows, dtype=np.int32)
    found = camera_sums(vectors, codes, [f"c{code}" for code in range(cameras)])
    assert set(found) == {f"c{code}" for code in codes}
    for code in set(codes.tolist()):
        expected = CameraSums.of(vectors[codes == code])
        sums = found[f"c{code}"]
        assert sums.count == expected.count
        assert np.array_equal(sums.total, expected.total)
        assert np.array_equal(sums.squares, expected.squares)


def test_no_rows_have_no_sums() -> None:
    assert camera_sums(np.empty((0, DIMENSION), dtype=np.float32), np.empty(0, dtype=np.int32), []) == {}


def test_a_segment_of_many_cameras_adds_all_of_them_up(tmp_path: Path) -> None:
    vectors = unit_vectors(9_100, np.random.default_rng(1))
    crops = [
        Sighting(UUID(int=n + 1), "town", one, f"c{n % 150 if n < 9_000 else 150}") for n, one in enumerate(vectors)
    ]
    found = written(tmp_path, crops).camera_sums()
    assert set(found) == {f"c{n}" for n in range(151)}
    for n in range(151):
        expected = CameraSums.of(vectors[:9_000][n::150] if n < 150 else vectors[9_000:])
        assert found[f"c{n}"].count == expected.count
        assert np.array_equal(found[f"c{n}"].total, expected.total)
        assert np.array_equal(found[f"c{n}"].squares, expected.squares)
