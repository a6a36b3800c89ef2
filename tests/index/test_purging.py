"""What was deleted is in no file after a purge, and what was not deleted is not written anew for it."""

import logging
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from support.traces import files_with, traces_in_segments, traces_of_id, traces_of_vector
from support.vectors import unit_rows
from uuid_utils.compat import uuid7

from index import upkeep
from index.codecs import CODECS
from index.contract import Filter, Sighting
from index.maintenance import compact
from index.options import IndexOptions
from index.segmented import SegmentedIndex
from index.segments import folder
from index.segments.files import StorageError

DIMENSION = 16
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)

Open = Callable[..., SegmentedIndex]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Opens an index without a thread of its own, in place of another where one is given to be closed."""
    made: list[SegmentedIndex] = []

    def open_index(codec: str = "sq8", *, instead_of: SegmentedIndex | None = None) -> SegmentedIndex:
        if instead_of is not None:
            made.remove(instead_of)
            instead_of.close()
        options = IndexOptions(codec=codec, threads=1)
        made.append(SegmentedIndex.open(DIMENSION, tmp_path, "model", "database", options, background=False))
        return made[-1]

    yield open_index
    for index in made:
        index.close()


def sighting(number: int, day: int = 0, **columns: Any) -> Sighting:
    columns = {"camera_id": "camera", **columns}
    vector = unit_rows(number, 1, DIMENSION)[0]
    return Sighting(uuid7(), "c", vector, captured_at=NOON + timedelta(days=day), **columns)


def held(index: SegmentedIndex) -> set[UUID]:
    (hits,) = index.search(unit_rows(1, 1, DIMENSION), 1000, Filter("c"))
    return {hit.sighting.id for hit in hits.hits}


def segments(folder: Path) -> set[str]:
    return {path.parent.name for path in folder.rglob("segment.json")}


@pytest.mark.parametrize("codec", CODECS)
def test_a_deleted_crop_is_in_no_file(opened: Open, tmp_path: Path, codec: str) -> None:
    index = opened(codec)
    secret = sighting(99, vehicle_id="to be forgotten", attributes={"plate": "B-AD 1"}, track=("s", "secret track"))
    others = [sighting(number) for number in range(80)]
    index.apply([*others, secret], [], 1)
    index.snapshot()
    vector = CODECS[codec].held(secret.embedding[None])[0]
    codes = traces_in_segments(tmp_path, secret.id)
    assert len(codes) == len(list(tmp_path.rglob("*.faiss")))
    traces = (
        {b"to be forgotten", b"B-AD 1", b"secret track"} | traces_of_id(secret.id) | traces_of_vector(vector) | codes
    )
    assert files_with(tmp_path, traces)
    assert all(files_with(tmp_path, {trace}) for trace in codes)
    index.apply([], [secret.id], 2)
    assert index.purge() == 2
    assert files_with(tmp_path, traces) == set()
    assert files_with(tmp_path, traces_of_id(others[0].id))
    assert held(index) == {other.id for other in others}
    again = opened(codec, instead_of=index)
    assert (again.watermark, held(again)) == (2, {other.id for other in others})


def test_only_segments_with_deleted_crops_are_written_anew(opened: Open, tmp_path: Path) -> None:
    index = opened()
    days = [sighting(day, day) for day in range(5)]
    doomed = sighting(9, 2)
    index.apply([*days, doomed], [], 1)
    index.snapshot()
    before = segments(tmp_path)
    index.apply([], [doomed.id], 2)
    index.purge()
    assert (len(before), len(segments(tmp_path)), len(before & segments(tmp_path))) == (5, 5, 4)


def test_a_changed_crop_is_no_deleted_one(opened: Open, tmp_path: Path) -> None:
    """Its old row is dead, and stays until its segment is written anew for another reason."""
    index = opened()
    crops = [sighting(number, number // 2) for number in range(10)]
    doomed = sighting(99, 9)
    index.apply([*crops, doomed], [], 1)
    index.snapshot()
    before = segments(tmp_path)
    changed = [Sighting(one.id, "c", one.embedding, "moved", one.captured_at) for one in crops[::2]]
    index.apply(changed, [doomed.id], 2)
    index.purge()
    assert len(before & segments(tmp_path)) == 5
    assert files_with(tmp_path, traces_of_id(doomed.id)) == set()


def test_what_a_deleted_crop_was_before_it_was_changed_is_gone_too(opened: Open, tmp_path: Path) -> None:
    index = opened()
    doomed = sighting(9, vehicle_id="the first")
    index.apply([sighting(1), doomed], [], 1)
    index.snapshot()
    index.apply([Sighting(doomed.id, "c", doomed.embedding, "camera", vehicle_id="the second")], [], 2)
    index.apply([], [doomed.id], 3)
    index.purge()
    assert files_with(tmp_path, {b"the first", b"the second"} | traces_of_id(doomed.id)) == set()


def test_a_segment_that_only_an_older_snapshot_names_is_gone_too(opened: Open, tmp_path: Path) -> None:
    index = opened()
    doomed = sighting(9)
    index.apply([sighting(1), sighting(2), doomed], [], 1)
    index.snapshot()
    index.apply([], [doomed.id], 2)
    assert index.maintain()  # a third of it is dead, so it is written anew in any case
    assert files_with(tmp_path, traces_of_id(doomed.id))
    index.purge()
    assert files_with(tmp_path, traces_of_id(doomed.id)) == set()


def test_a_collection_of_which_nothing_is_left(opened: Open, tmp_path: Path) -> None:
    index = opened()
    crops = [sighting(number, number) for number in range(3)]
    index.apply(crops, [], 1)
    index.snapshot()
    index.apply([], [one.id for one in crops], 2)
    index.purge()
    assert segments(tmp_path) == set()
    assert held(index) == set()


def test_what_has_expired(opened: Open, tmp_path: Path) -> None:
    index = opened()
    crops = [sighting(number, number // 2) for number in range(6)]
    index.apply(crops, [], 1)
    index.snapshot()
    index.apply([], [], 2, {"c": NOON + timedelta(days=2)})
    index.purge()
    assert [bool(files_with(tmp_path, traces_of_id(one.id))) for one in crops] == [False] * 4 + [True] * 2


def test_what_was_in_memory_only_costs_nothing(opened: Open, tmp_path: Path) -> None:
    index = opened()
    index.apply([sighting(1)], [], 1)
    index.snapshot()
    before = segments(tmp_path)
    doomed = sighting(9)
    index.apply([doomed], [], 2)
    index.apply([], [doomed.id], 3)
    assert index.purge() is None
    assert (index.purged_at, index.deleted_at) == (3, 3)
    assert segments(tmp_path) == before


def test_a_restart_knows_that_it_does_not_know(opened: Open, tmp_path: Path) -> None:
    index = opened()
    doomed = sighting(9)
    index.apply([*(sighting(number) for number in range(9)), doomed], [], 1)
    index.snapshot()
    index.apply([], [doomed.id], 2)
    index.snapshot()  # which notes that the row is dead
    index = opened(instead_of=index)
    assert index.purged_at < index.deleted_at == 2
    index.purge()
    assert index.purged_at == 2
    assert files_with(tmp_path, traces_of_id(doomed.id)) == set()


def test_what_is_deleted_beside_a_purge_is_left_to_the_next(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = opened()
    first, second = sighting(8), sighting(9)
    index.apply([*(sighting(number) for number in range(9)), first, second], [], 1)
    index.snapshot()
    index.apply([], [first.id], 2)

    def compact_beside_a_writer(*arguments: Any) -> Any:
        index.apply([], [second.id], 3)
        return compact(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(upkeep, "compact", compact_beside_a_writer)
        index.purge()
    assert (index.purged_at, index.deleted_at) == (2, 3)
    assert files_with(tmp_path, traces_of_id(first.id)) == set()
    assert files_with(tmp_path, traces_of_id(second.id))
    index.purge()
    assert (index.purged_at, index.deleted_at) == (3, 3)
    assert files_with(tmp_path, traces_of_id(second.id)) == set()


def test_what_cannot_be_removed_is_told_and_tried_again(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    index = opened()
    doomed = sighting(9)
    index.apply([*(sighting(number) for number in range(9)), doomed], [], 1)
    index.snapshot()
    index.apply([], [doomed.id], 2)

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", refuse)
        with caplog.at_level(logging.WARNING), pytest.raises(StorageError, match="could not be removed"):
            index.purge()
    assert index.purged_at == -1
    index.purge()
    assert index.purged_at == 2
    assert files_with(tmp_path, traces_of_id(doomed.id)) == set()


def test_a_snapshot_that_cannot_be_removed_is_no_reason_to_call_it_clean(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The older one names the segments with the crop, and would keep them."""
    index = opened()
    doomed = sighting(9)
    index.apply([*(sighting(number) for number in range(9)), doomed], [], 1)
    index.snapshot()
    index.apply([], [doomed.id], 2)

    with monkeypatch.context() as patch:
        patch.setattr(folder, "_remove", lambda _: False)
        with pytest.raises(StorageError, match="could not be removed"):
            index.purge()
    assert index.purged_at == -1
    assert files_with(tmp_path, traces_of_id(doomed.id))
    index.purge()
    assert index.purged_at == 2
    assert files_with(tmp_path, traces_of_id(doomed.id)) == set()


def test_writers_do_not_wait_for_the_whole_of_a_purge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = IndexOptions(seal_rows=2, waiting_tables=1, merge_parts=100, dead_share=1, threads=1)
    index = SegmentedIndex(DIMENSION, tmp_path, options)
    doomed = [sighting(day, day) for day in range(3)]
    index.apply([*doomed, *(sighting(day + 3, day) for day in range(3))], [], 1)
    index.snapshot()
    compacting, wrote = Event(), Event()

    def compact_when_written(*arguments: Any) -> Any:
        if compacting.is_set():  # the second segment
            assert wrote.wait(10)
        compacting.set()
        return compact(*arguments)

    def write() -> None:
        assert compacting.wait(10)
        for watermark in range(3, 6):  # one table more than may wait
            index.apply([sighting(watermark * 2), sighting(watermark * 2 + 1)], [], watermark)
        wrote.set()

    monkeypatch.setattr(upkeep, "compact", compact_when_written)
    index.apply([], [one.id for one in doomed], 2)
    with ThreadPoolExecutor(1) as writer:
        written = writer.submit(write)
        index.purge()
        written.result()
    index.close()


def test_what_a_process_left_that_is_gone(opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes had the same crop; one has ended, and nobody else would see to its files."""
    doomed = sighting(9)
    crops = [*(sighting(number) for number in range(9)), doomed]
    own, running = opened(), opened()
    gone = SegmentedIndex.open(DIMENSION, tmp_path, "model", "database", background=False)
    for index in (own, running, gone):
        index.apply(crops, [], 1)
        index.snapshot()
    assert own.purge() is None
    assert own.purged_at == 1  # the others see to their own files
    gone.close()
    assert {path.parts[0] for path in files_with(tmp_path, traces_of_id(doomed.id))} == {"0", "1", "2"}
    own.apply([], [doomed.id], 2)
    own.purge()
    assert {path.parts[0] for path in files_with(tmp_path, traces_of_id(doomed.id))} == {"1", "2"}
    assert own.purged_at < own.deleted_at  # though it is in none of its own
    monkeypatch.setattr(upkeep, "STARTING_S", 0.0)
    own.purge()
    assert own.purged_at == own.deleted_at
    assert {path.parts[0] for path in files_with(tmp_path, traces_of_id(doomed.id))} == {"1"}
    running.apply([], [doomed.id], 2)
    running.purge()
    assert files_with(tmp_path, traces_of_id(doomed.id)) == set()
    assert opened().watermark == 0
