"""A segment holds what was written, finds its rows, and merges with others; damage anywhere is noticed."""

import random
import shutil
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.raw_codec import RawCodec
from support.segments import (
    CODECS,
    DIMENSION,
    SPAN_US,
    crops_of,
    exactly,
    some_crops,
    unit_vectors,
    written,
)

from index.camera_sums import CameraSums
from index.contract import Sighting
from index.segments.files import SegmentError
from index.segments.segment import Segment, merge, open_segment
from index.segments.writer import CROPS_WORTH_SUMS, write_segment

TEXTS = st.text(st.characters(exclude_categories=[]), max_size=5)
SCALARS = st.one_of(
    st.none(), st.booleans(), TEXTS, st.floats(), st.integers(), st.sampled_from([1, 1.0, 2**60 + 1, 0.0, -0.0])
)
CROPS = st.builds(
    Sighting,
    id=st.uuids(),
    collection=st.just("town"),
    embedding=st.integers(0, 2**32).map(lambda seed: unit_vectors(1, np.random.default_rng(seed))[0]),
    camera_id=TEXTS,
    captured_at=st.none() | st.datetimes(timezones=st.just(UTC)),
    track=st.none() | st.tuples(st.none() | TEXTS, TEXTS),
    vehicle_id=st.none() | TEXTS,
    attributes=st.dictionaries(TEXTS, SCALARS, max_size=3),
    fingerprint=st.integers(0, 2**64 - 1),
)


@pytest.fixture
def segment(tmp_path: Path) -> Segment:
    return written(tmp_path, some_crops(200))


@given(crops=st.lists(CROPS, min_size=1, max_size=8, unique_by=lambda crop: crop.id))
@settings(max_examples=60, deadline=None)
def test_crops_come_back_exactly_in_the_order_of_their_ids(
    tmp_path_factory: pytest.TempPathFactory, crops: list[Sighting]
) -> None:
    # one set of attributes that two crops share is kept once, in the bits of the first: 0.0 and -0.0 are one to it
    segment = written(tmp_path_factory.mktemp("segments"), crops)
    expected = [exactly(crop) for crop in sorted(crops, key=lambda crop: crop.id)]
    assert [text.replace("-0.0", "0.0") for text in map(exactly, crops_of(segment))] == [
        text.replace("-0.0", "0.0") for text in expected
    ]


def test_a_segment_says_what_it_is(tmp_path: Path) -> None:
    crops = some_crops(50)
    segment = written(tmp_path, crops)
    ids = sorted(crop.id.int for crop in crops)
    times = sorted(crop.captured_at for crop in crops if crop.captured_at)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert len(segment) == 50
    assert segment.id_range == (ids[0], ids[-1])
    assert segment.description.fingerprint == sum(crop.fingerprint for crop in crops) % 2**64
    assert segment.description.times == tuple(int((t - epoch).total_seconds()) * 10**6 for t in (times[0], times[-1]))
    assert (segment.description.collection, segment.description.codec) == ("town", "raw")
    assert segment.disk_bytes > 50 * (4 * DIMENSION + 48)


def test_the_columns_of_a_crop_take_at_most_64_bytes(tmp_path: Path) -> None:
    few, many = (written(tmp_path, some_crops(count)).disk_bytes for count in (1_000, 3_000))
    assert (many - few) / 2_000 - 4 * DIMENSION <= 64


def test_crops_without_a_time_have_no_range_of_times(tmp_path: Path) -> None:
    crop = Sighting(UUID(int=1), "town", unit_vectors(1, np.random.default_rng())[0], "c")
    assert written(tmp_path, [crop]).description.times is None


def test_rows_are_found_by_id_also_where_upper_or_lower_halves_are_equal(tmp_path: Path) -> None:
    numbers = [high << 64 | low for high in (0, 5, 2**64 - 1) for low in (0, 1, 7, 8, 2**63, 2**64 - 1)]
    vector = unit_vectors(1, np.random.default_rng())[0]
    held = random.Random(1).sample(numbers, len(numbers) - 4)
    segment = written(tmp_path, [Sighting(UUID(int=number), "town", vector, "c") for number in held])
    asked = [*numbers, 3, 5 << 64 | 9, 6 << 64]
    rows = segment.rows_of(
        np.array([number >> 64 for number in asked], dtype=np.uint64),
        np.array([number & 2**64 - 1 for number in asked], dtype=np.uint64),
    )
    assert rows.tolist() == [sorted(held).index(number) if number in held else -1 for number in asked]


def test_no_ids_are_in_no_rows(segment: Segment) -> None:
    assert segment.rows_of(np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.uint64)).shape == (0,)


@pytest.mark.parametrize("crops", [CROPS_WORTH_SUMS - 1, CROPS_WORTH_SUMS])
def test_camera_sums_are_those_of_the_embeddings_stored_or_not(tmp_path: Path, crops: int) -> None:
    vectors = unit_vectors(crops + 1, np.random.default_rng(3))
    segment = written(
        tmp_path,
        [Sighting(UUID(int=row), "town", vector, "c1" if row else "c0") for row, vector in enumerate(vectors)],
    )
    found = segment.camera_sums()
    assert sorted(found) == ["c0", "c1"]
    for camera, expected in (("c0", CameraSums.of(vectors[:1])), ("c1", CameraSums.of(vectors[1:]))):
        sums = found[camera]
        assert sums.count == expected.count
        assert np.array_equal(sums.total, expected.total)
        assert np.array_equal(sums.squares, expected.squares)
    assert segment.description.arrays["sums.totals"].shape[0] == (crops >= CROPS_WORTH_SUMS)


def test_what_is_mapped_cannot_be_written_to(segment: Segment) -> None:
    with pytest.raises(ValueError, match="read-only"):
        segment.columns.times[0] = 0


def test_live_rows_are_written_again_without_the_dead_and_their_words(tmp_path: Path) -> None:
    crops = sorted(some_crops(40), key=lambda crop: crop.id)
    crops[7] = Sighting(crops[7].id, "town", crops[7].embedding, "the only crop of this camera")
    segment = written(tmp_path, crops)
    live = np.arange(40) != 7
    again = write_segment(tmp_path, merge([segment], [live], SPAN_US, 20_000), CODECS["raw"])
    opened = open_segment(again, CODECS, verify=True)
    expected = [exactly(crop) for crop in (*crops[:7], *crops[8:])]
    assert [exactly(crop) for crop in crops_of(opened)] == expected
    assert b"the only crop" not in (again / "columns.bin").read_bytes()


def test_merged_segments_hold_the_live_rows_of_all(tmp_path: Path) -> None:
    parts = [some_crops(count, seed) for seed, count in enumerate((30, 1, 50))]
    segments = [written(tmp_path, part) for part in parts]
    live = [np.random.default_rng(seed).random(len(part)) < 0.5 for seed, part in enumerate(parts)]
    live[1][:] = False
    rows = merge(segments, live, 7 * SPAN_US, 2857)
    assert (rows.span_us, rows.period) == (7 * SPAN_US, 2857)
    opened = open_segment(write_segment(tmp_path, rows, CODECS["raw"]), CODECS, verify=True)
    expected = [
        crop
        for part, mask in zip(parts, live, strict=True)
        for crop, lives in zip(sorted(part, key=lambda crop: crop.id), mask, strict=True)
        if lives
    ]
    assert [exactly(crop) for crop in crops_of(opened)] == [
        exactly(crop) for crop in sorted(expected, key=lambda crop: crop.id)
    ]
    assert np.all(np.diff(rows.columns.id_high.astype(object)) >= 0), "merge answers rows in order of id"


def test_parts_of_different_collections_are_not_put_together(tmp_path: Path) -> None:
    segments = [written(tmp_path, some_crops(2, 1)), written(tmp_path, some_crops(2, 2, "village"))]
    with pytest.raises(ValueError, match="different collections"):
        merge(segments, [np.ones(2, dtype=np.bool_)] * 2, SPAN_US, 20_000)


@pytest.mark.parametrize("name", ["segment.json", "columns.bin", "vectors/raw.npy"])
def test_one_bit_flipped_anywhere_is_noticed(segment: Segment, tmp_path: Path, name: str) -> None:
    folder = tmp_path / segment.id
    whole = (folder / name).read_bytes()
    chance = random.Random(name)
    for position in {0, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(150))}:
        damaged = bytearray(whole)
        damaged[position] ^= 1 << chance.randrange(8)
        (folder / name).write_bytes(damaged)
        with pytest.raises(SegmentError, match="not what was written"):
            open_segment(folder, CODECS, verify=True)
    (folder / name).write_bytes(whole)
    open_segment(folder, CODECS, verify=True)


@pytest.mark.parametrize("name", ["segment.json", "columns.bin", "vectors/raw.npy"])
def test_a_file_cut_off_anywhere_is_noticed_without_reading_it(segment: Segment, tmp_path: Path, name: str) -> None:
    path = tmp_path / segment.id / name
    whole = path.read_bytes()
    chance = random.Random(name)
    for length in {0, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(150))}:
        path.write_bytes(whole[:length])
        with pytest.raises(SegmentError, match=r"bytes, \d+ were written|not what was written"):
            open_segment(path.parents[len(Path(name).parts) - 1], CODECS, verify=False)
    path.write_bytes(whole + b"\0")
    with pytest.raises(SegmentError, match=r"bytes, \d+ were written|not what was written"):
        open_segment(path.parents[len(Path(name).parts) - 1], CODECS, verify=False)


@pytest.mark.parametrize("name", ["segment.json", "columns.bin", "vectors/raw.npy"])
def test_a_file_that_is_missing_is_named(segment: Segment, tmp_path: Path, name: str) -> None:
    (tmp_path / segment.id / name).unlink()
    with pytest.raises(SegmentError, match=f"{name} cannot be read: No such file"):
        open_segment(tmp_path / segment.id, CODECS, verify=False)


def test_a_segment_under_another_ones_name_is_refused(segment: Segment, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / segment.id, tmp_path / "0123abcd")
    with pytest.raises(SegmentError, match="not the name of its folder"):
        open_segment(tmp_path / "0123abcd", CODECS, verify=False)


def test_a_codec_that_is_not_there_is_named(segment: Segment, tmp_path: Path) -> None:
    with pytest.raises(SegmentError, match=r"names codec 'raw', there are \['fp99'\]"):
        open_segment(tmp_path / segment.id, {"fp99": RawCodec()}, verify=True)


def test_a_segment_goes_on_answering_after_its_files_are_gone(segment: Segment, tmp_path: Path) -> None:
    before = [exactly(crop) for crop in crops_of(segment)]
    shutil.rmtree(tmp_path / segment.id)
    assert [exactly(crop) for crop in crops_of(segment)] == before


def test_closing_a_segment_lets_go_of_its_vectors(segment: Segment) -> None:
    segment.close()
    assert segment.vectors.closed


def test_masks_over_a_million_rows_take_milliseconds() -> None:
    from time import perf_counter

    from index.segments.words import FrozenWords, encoded

    words: FrozenWords[str] = FrozenWords.of(encoded(f"camera {number}") for number in range(500))
    cameras = np.random.default_rng(0).integers(0, 500, 1_000_000, dtype=np.int32)
    asked = frozenset(f"camera {number}" for number in range(0, 500, 10))
    taken = []
    for _ in range(5):
        start = perf_counter()
        mask = words.among(words.codes(asked))[cameras]
        taken.append(perf_counter() - start)
    assert 0.09 < mask.mean() < 0.11
    assert min(taken) < 0.02
