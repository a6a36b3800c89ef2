from pathlib import Path

import numpy as np
import pytest

from index.codecs.contract import CodecError
from index.codecs.flat import HALVES, HalfVectors, write_halves
from index.codecs.half_rows import HalfRows
from index.codecs.halves import rounded


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    vectors = np.random.default_rng(0).standard_normal((300, 48)).astype(np.float32)
    write_halves(rounded(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))[1], tmp_path)
    return tmp_path


@pytest.mark.parametrize("rows", [[], [0], [299], [5, 6, 7, 8], [0, 2, 3, 250, 251, 299], [7, 3, 3, 4]])
def test_rows_read_are_those_mapped(folder: Path, rows: list[int]) -> None:
    read, mapped = HalfRows(folder), HalfVectors(folder)
    chosen = np.array(rows, dtype=np.int64)
    assert np.array_equal(read.held(chosen), mapped.held(chosen))
    read.close()
    mapped.close()


def test_a_file_that_goes_on_after_its_vectors_is_refused(folder: Path) -> None:
    with (folder / HALVES).open("ab") as file:
        file.write(bytes(range(96)))
    with pytest.raises(CodecError, match="does not end with its vectors"):
        HalfRows(folder)


def test_a_file_cut_off_in_use_is_an_error_and_no_vector(folder: Path) -> None:
    read = HalfRows(folder)
    with (folder / HALVES).open("r+b") as file:
        file.truncate((folder / HALVES).stat().st_size - 10)
    with pytest.raises(OSError, match="cut off"):
        read.held(np.array([299]))
    read.close()


def test_the_file_is_let_go_of_when_closed_and_with_the_last_who_reads_it(folder: Path) -> None:
    def opened() -> int:
        return sum(one.is_symlink() and one.readlink() == folder / HALVES for one in Path("/proc/self/fd").iterdir())

    closed, dropped = HalfRows(folder), HalfRows(folder)
    assert opened() == 2
    closed.close()
    closed.close()
    assert opened() == 1
    del dropped
    assert opened() == 0
