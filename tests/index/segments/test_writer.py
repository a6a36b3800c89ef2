"""Writing a segment: refused rows, failing disks, and a process that dies between any two steps."""

import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.raw_codec import RawCodec
from support.segments import CODECS, crops_of, exactly, rows_of_crops, some_crops, written

from index.camera_sums import CameraSums
from index.segments import files
from index.segments.files import StorageError
from index.segments.rows import SegmentRows
from index.segments.segment import open_segment
from index.segments.writer import write_segment


def test_an_id_that_comes_twice_is_refused(tmp_path: Path) -> None:
    crops = some_crops(3)
    with pytest.raises(ValueError, match="an id comes twice"):
        write_segment(tmp_path, rows_of_crops([*crops, crops[0]]), CODECS["raw"])
    assert list(tmp_path.iterdir()) == []


def test_no_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        write_segment(tmp_path, rows_of_crops([]), CODECS["raw"])
    assert list(tmp_path.iterdir()) == []


def test_columns_of_different_lengths_are_refused(tmp_path: Path) -> None:
    rows = rows_of_crops(some_crops(3))
    short = SegmentRows("town", rows.span_us, rows.period, rows.embeddings[:2], rows.columns, rows.words)
    with pytest.raises(ValueError, match=r"lengths \[2, 3\]"):
        write_segment(tmp_path, short, CODECS["raw"])
    assert list(tmp_path.iterdir()) == []


def test_equal_rows_written_twice_are_two_segments(tmp_path: Path) -> None:
    rows = rows_of_crops(some_crops(3))
    assert write_segment(tmp_path, rows, CODECS["raw"]) != write_segment(tmp_path, rows, CODECS["raw"])


def test_no_folder_or_file_is_named_after_the_collection(tmp_path: Path) -> None:
    crops = some_crops(3, collection="../../etc/passwd")
    segment = written(tmp_path / "segments", crops)
    assert segment.description.collection == "../../etc/passwd"
    assert [path.name for path in tmp_path.rglob("*") if "passwd" in str(path)] == []
    assert (tmp_path / "segments" / segment.id).is_dir()


def test_a_folder_that_cannot_be_written_to_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=f"could not be written to {tmp_path}/file/segments: .*Not a directory"):
        write_segment(tmp_path / "file" / "segments", rows_of_crops(some_crops(3)), CODECS["raw"])
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_disk_that_is_full_leaves_nothing_behind(tmp_path: Path) -> None:
    before = written(tmp_path, some_crops(5))
    rows = rows_of_crops(some_crops(2_000))
    largest = (write_segment(tmp_path / "roomy", rows, CODECS["raw"]) / "columns.bin").stat().st_size
    shutil.rmtree(tmp_path / "roomy")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    refused = 0
    for limit in range(1_000, largest, 7_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.raises(StorageError, match="could not be written"):
                write_segment(tmp_path, rows, CODECS["raw"])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        refused += 1
        assert [path.name for path in tmp_path.iterdir()] == [before.id]
    assert refused > 10


class CuttingCodec(RawCodec):
    """A codec that does not notice that the last byte of its file was not written."""

    def write(self, vectors: np.ndarray, folder: Path) -> None:
        super().write(vectors, folder)
        with (folder / "raw.npy").open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(b"\xff")


def test_vectors_that_do_not_read_back_as_written_are_noticed(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="read back as others"):
        write_segment(tmp_path, rows_of_crops(some_crops(3)), CuttingCodec())
    assert list(tmp_path.iterdir()) == []


def test_every_file_and_folder_is_on_the_disk_before_the_segment_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[Path] = []
    at_rename: list[Path] = []
    flush, rename = files.flush, Path.rename

    def recorded_rename(path: Path, target: Path) -> Path:
        at_rename.extend(flushed)
        assert {*path.rglob("*"), path} <= set(flushed)
        return rename(path, target)

    monkeypatch.setattr(files, "flush", lambda path: (flushed.append(path), flush(path)))
    monkeypatch.setattr(Path, "rename", recorded_rename)
    write_segment(tmp_path, rows_of_crops(some_crops(3)), CODECS["raw"])
    assert len(at_rename) == 5  # two arrays, the description, the vectors' folder and the segment's
    assert flushed[-1] == tmp_path, "the name itself is flushed last"


def test_large_cameras_are_summed_in_blocks_like_small_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.segments.writer._ROWS_AT_ONCE", 64)
    segment = written(tmp_path, some_crops(700))
    crops = list(crops_of(segment))
    for camera, sums in segment.camera_sums().items():
        expected = CameraSums.of(np.array([crop.embedding for crop in crops if crop.camera_id == camera]))
        assert sums.count == expected.count > 100
        assert np.array_equal(sums.total, expected.total)
        assert np.array_equal(sums.squares, expected.squares)


def test_wherever_a_writer_dies_there_is_a_whole_segment_or_none(
    tmp_path: Path, dies_at_step: Callable[[int, Callable[[], object]], bool]
) -> None:
    crops = some_crops(3)
    rows = rows_of_crops(crops)
    step = 0
    while dies_at_step(step, lambda: write_segment(tmp_path, rows, CODECS["raw"])):
        for path in tmp_path.iterdir():
            if not path.name.startswith("unfinished-"):
                opened = open_segment(path, CODECS, verify=True)
                assert {exactly(crop) for crop in crops_of(opened)} == {exactly(crop) for crop in crops}
        step += 1
    assert step > 15
