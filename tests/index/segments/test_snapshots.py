"""Snapshots: what was written comes back, and whatever is damaged is passed over with its reason."""

import logging
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.segments import CODECS, DIMENSION, IDENTITY, crops_of, exactly, snapshot_of, some_crops, written

from index.segments.files import SnapshotError, StorageError
from index.segments.segment import Segment
from index.segments.snapshots import (
    SEGMENTS,
    SNAPSHOTS,
    CollectionEntry,
    IndexSnapshot,
    SegmentEntry,
    manifests,
    open_newest,
    read_snapshot,
    write_snapshot,
)


@pytest.fixture
def segment(tmp_path: Path) -> Segment:
    return written(tmp_path / SEGMENTS, some_crops(30))


def newest_watermark(folder: Path) -> int | None:
    opened = open_newest(folder, IDENTITY, CODECS)
    return opened[0].watermark if opened else None


TEXTS = st.text(st.characters(exclude_categories=[]), max_size=5)
ENTRIES = st.builds(
    SegmentEntry,
    id=st.text("0123456789abcdef", min_size=64, max_size=64),
    live=st.none() | st.lists(st.booleans(), min_size=1, max_size=40).map(np.array),
    dead_since=st.none() | st.datetimes(timezones=st.just(UTC)),
)
COLLECTIONS = st.builds(
    CollectionEntry,
    codec=TEXTS,
    segments=st.lists(ENTRIES, max_size=3).map(tuple),
    crops=st.integers(0),
    fingerprint=st.integers(0, 2**64 - 1),
)


@given(st.dictionaries(TEXTS, COLLECTIONS, max_size=3), st.integers(0, 2**63))
@settings(max_examples=60, deadline=None)
def test_a_manifest_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, collections: dict[str, CollectionEntry], watermark: int
) -> None:
    snapshot = IndexSnapshot(IDENTITY, watermark, datetime(2026, 11, 24, tzinfo=UTC), collections)
    read = read_snapshot(write_snapshot(tmp_path_factory.mktemp("index"), snapshot))
    assert replace(read, collections={}) == replace(snapshot, collections={})
    assert read.collections.keys() == collections.keys()
    for name, collection in collections.items():
        assert replace(read.collections[name], segments=()) == replace(collection, segments=())
        for back, entry in zip(read.collections[name].segments, collection.segments, strict=True):
            assert (back.id, back.dead_since) == (entry.id, entry.dead_since)
            assert np.array_equal(back.live, entry.live) if entry.live is not None else back.live is None


def test_an_empty_folder_has_no_snapshot(tmp_path: Path) -> None:
    assert open_newest(tmp_path, IDENTITY, CODECS) is None


def test_a_snapshot_opens_with_its_segments_and_its_dead(tmp_path: Path) -> None:
    crops, others = some_crops(30, 1), some_crops(4, 2, "village")
    segments = [written(tmp_path / SEGMENTS, crops), written(tmp_path / SEGMENTS, others)]
    live = np.arange(30) % 3 > 0
    write_snapshot(tmp_path, snapshot_of(segments, watermark=77, live=live))
    opened = open_newest(tmp_path, IDENTITY, CODECS)
    assert opened is not None
    snapshot, found = opened
    assert snapshot.watermark == 77
    assert found.keys() == snapshot.segment_ids() == {one.id for one in segments}
    assert np.array_equal(snapshot.collections["town"].segments[0].live, live)
    for one in segments:
        assert [exactly(crop) for crop in crops_of(found[one.id])] == [exactly(crop) for crop in crops_of(one)]


def test_the_snapshot_written_last_is_the_newest_though_the_database_went_back(
    tmp_path: Path, segment: Segment
) -> None:
    for watermark in (5, 100, 7):
        write_snapshot(tmp_path, snapshot_of([segment], watermark))
    assert newest_watermark(tmp_path) == 7


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model_id": "other-2"}, "belongs to model other-2, this index to starter-1"),
        ({"installation": "ffff"}, "belongs to database ffff, this index to 0d7c"),
        ({"dimension": 8}, "belongs to dimension 8, this index to 4"),
    ],
)
def test_a_snapshot_of_another_identity_is_passed_over(
    tmp_path: Path, segment: Segment, change: dict[str, object], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    write_snapshot(tmp_path, snapshot_of([segment], 3))
    write_snapshot(tmp_path, snapshot_of([segment], 9, replace(IDENTITY, **change)))
    assert newest_watermark(tmp_path) == 3
    assert reason in caplog.text
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_manifest_damaged_at_any_bit_or_cut_off_at_any_byte_is_passed_over(tmp_path: Path, segment: Segment) -> None:
    write_snapshot(tmp_path, snapshot_of([segment], 3))
    path = write_snapshot(tmp_path, snapshot_of([segment], 9, live=np.arange(30) > 5))
    whole = path.read_bytes()
    chance = random.Random(4)
    damaged = [whole[:length] for length in range(len(whole))]
    for position in range(len(whole)):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << chance.randrange(8)
        damaged.append(bytes(flipped))
    for content in [*damaged, whole + b"\n"]:
        path.write_bytes(content)
        with pytest.raises(SnapshotError, match="cut off or changed"):
            read_snapshot(path)
    assert newest_watermark(tmp_path) == 3
    path.write_bytes(whole)
    assert newest_watermark(tmp_path) == 9


@pytest.mark.parametrize("name", ["segment.json", "columns.bin", "vectors/raw.npy"])
def test_a_snapshot_with_a_damaged_segment_is_passed_over(
    tmp_path: Path, segment: Segment, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    write_snapshot(tmp_path, snapshot_of([segment], 3))
    newer = written(tmp_path / SEGMENTS, some_crops(30, 2))
    write_snapshot(tmp_path, snapshot_of([newer], 9))
    path = tmp_path / SEGMENTS / newer.id / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert newest_watermark(tmp_path) == 3
    assert f"{name} is not what was written" in caplog.text


def test_a_snapshot_whose_segment_is_gone_is_passed_over(
    tmp_path: Path, segment: Segment, caplog: pytest.LogCaptureFixture
) -> None:
    write_snapshot(tmp_path, snapshot_of([segment], 3))
    (tmp_path / SEGMENTS / segment.id).rename(tmp_path / "elsewhere")
    assert newest_watermark(tmp_path) is None
    assert "segment.json cannot be read: No such file" in caplog.text


@pytest.mark.parametrize("change", [{"crops": 29}, {"fingerprint": 12}])
def test_a_snapshot_that_disagrees_with_its_segments_is_passed_over(
    tmp_path: Path, segment: Segment, change: dict[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    snapshot = snapshot_of([segment])
    write_snapshot(tmp_path, replace(snapshot, collections={"town": replace(snapshot.collections["town"], **change)}))
    assert newest_watermark(tmp_path) is None
    assert "of collection 'town' hold 30 crops" in caplog.text


@pytest.mark.parametrize("rows", [29, 31])
def test_dead_rows_of_another_segment_are_not_applied(
    tmp_path: Path, segment: Segment, rows: int, caplog: pytest.LogCaptureFixture
) -> None:
    snapshot = snapshot_of([segment])
    entry = replace(snapshot.collections["town"], segments=(SegmentEntry(segment.id, np.ones(rows, dtype=np.bool_)),))
    write_snapshot(tmp_path, replace(snapshot, collections={"town": entry}))
    assert newest_watermark(tmp_path) is None
    assert f"has 30 rows, not {rows}" in caplog.text


def test_a_segment_is_not_taken_for_another_collections(
    tmp_path: Path, segment: Segment, caplog: pytest.LogCaptureFixture
) -> None:
    snapshot = snapshot_of([segment])
    write_snapshot(tmp_path, replace(snapshot, collections={"village": snapshot.collections["town"]}))
    assert newest_watermark(tmp_path) is None
    assert "is of another collection or dimension" in caplog.text


def test_segments_opened_for_a_snapshot_that_is_passed_over_are_closed(tmp_path: Path, segment: Segment) -> None:
    closed = []
    codec = CODECS["raw"]

    class Watched(type(codec)):
        def open(self, folder: Path) -> object:
            vectors = super().open(folder)
            vectors.close = lambda: closed.append(folder)
            return vectors

    snapshot = snapshot_of([segment])
    write_snapshot(tmp_path, replace(snapshot, collections={"town": replace(snapshot.collections["town"], crops=1)}))
    assert open_newest(tmp_path, IDENTITY, {"raw": Watched()}) is None
    assert closed == [tmp_path / SEGMENTS / segment.id / "vectors"]


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / SNAPSHOTS).write_text("in the way")
    with pytest.raises(StorageError, match=r"could not be written to .*/snapshots: File exists"):
        write_snapshot(tmp_path, snapshot_of([]))


def test_files_with_other_names_are_no_manifests(tmp_path: Path, segment: Segment) -> None:
    path = write_snapshot(tmp_path, snapshot_of([segment], 4))
    (path.parent / "notes.json").write_text("{}")
    (path.parent / f"{path.name}.bak").write_text("{}")
    assert manifests(tmp_path) == [path]
    assert newest_watermark(tmp_path) == 4


def test_wherever_a_process_dies_that_writes_a_snapshot_the_older_one_or_the_new_one_opens(
    tmp_path: Path, segment: Segment, dies_at_step: Callable[[int, Callable[[], object]], bool]
) -> None:
    write_snapshot(tmp_path, snapshot_of([segment], 3))

    def next_snapshot() -> None:
        newer = written(tmp_path / SEGMENTS, some_crops(DIMENSION, 2))
        write_snapshot(tmp_path, snapshot_of([newer], 9))

    step, seen = 0, []
    while dies_at_step(step, next_snapshot):
        seen.append(newest_watermark(tmp_path))
        if seen[-1] == 9:
            manifests(tmp_path)[0].unlink()
        step += 1
    assert newest_watermark(tmp_path) == 9
    assert seen[0] == 3
    assert set(seen) == {3, 9}
    assert step > 25
