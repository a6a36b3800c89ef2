"""The segmented index with its segments on a device: sealed, merged, restored and forgotten ones."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from support.devices import settled, until
from support.vectors import unit, unit_rows

from index.contract import Filter, Hits, Sighting
from index.gpu.accelerator import Accelerator
from index.gpu.engine import Engine
from index.options import IndexOptions
from index.segmented import SegmentedIndex

MakeAccelerator = Callable[..., Accelerator]
DIMENSION, CROPS = 32, 6000
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
OPTIONS = IndexOptions(seal_rows=3000, merge_parts=2, threads=2, exact_below=0)
WIDE = Filter("c", exclude_camera_ids=frozenset({"cam-7"}))
NARROW = Filter("c", camera_ids=frozenset({"cam-7"}), captured_from=NOON + timedelta(days=1))

_vectors = unit_rows(1, CROPS, DIMENSION)
_queries = unit_rows(2, 12, DIMENSION)


def crops(first: int, last: int) -> list[Sighting]:
    return [
        Sighting(UUID(int=number + 1), "c", _vectors[number], f"cam-{number % 50}", NOON + timedelta(days=number % 2))
        for number in range(first, last)
    ]


def filled(index: SegmentedIndex) -> SegmentedIndex:
    for start in range(0, CROPS, 500):
        index.apply(crops(start, start + 500), [], start + 500)
        while index.maintain():
            pass
    index.apply([], [UUID(int=number + 1) for number in range(0, CROPS, 100)], CROPS + 1)
    index.snapshot()
    return index


def answers(index: SegmentedIndex) -> list[Hits]:
    return [hits for where in (Filter("c"), WIDE, NARROW) for hits in index.search(_queries, 10, where)]


@pytest.fixture
def plain(tmp_path: Path) -> list[list[tuple[UUID, float]]]:
    """What the index answers without a device."""
    index = filled(SegmentedIndex(DIMENSION, tmp_path / "plain", OPTIONS, background=False))
    try:
        return told(answers(index))
    finally:
        index.close()


def told(found: list[Hits]) -> list[list[tuple[UUID, float]]]:
    return [[(hit.sighting.id, hit.score) for hit in hits.hits] for hits in found]


def test_answers_are_those_of_the_cpu_and_the_device_gave_them(
    tmp_path: Path,
    make_accelerator: MakeAccelerator,
    make_engine: Callable[[], Engine],
    plain: list[list[tuple[UUID, float]]],
) -> None:
    accelerator = make_accelerator(make_engine)
    index = filled(SegmentedIndex(DIMENSION, tmp_path / "index", OPTIONS, background=False, accelerator=accelerator))
    try:
        assert told(answers(index)) == plain
        stats = index.stats().device
        assert stats is not None
        assert stats == accelerator.stats()
        assert stats.problem is None
        assert stats.segments == index.stats().collections["c"].parts == 2
        assert stats.searches == 2 * 2 * len(_queries)  # two days, both wide filters
        assert stats.searches_by_cpu == len(_queries)  # the narrow filter, which skips the first day
    finally:
        index.close()
    assert accelerator.stats().segments == 0


def test_segments_of_a_snapshot_are_copied_when_it_is_opened(
    tmp_path: Path,
    make_accelerator: MakeAccelerator,
    make_engine: Callable[[], Engine],
    plain: list[list[tuple[UUID, float]]],
) -> None:
    accelerator = make_accelerator(make_engine)
    index = SegmentedIndex.open(
        DIMENSION, tmp_path / "plain", "", "", OPTIONS, background=False, accelerator=accelerator
    )
    try:
        assert told(answers(index)) == plain
        assert accelerator.stats().segments == 2
        assert accelerator.stats().searches > 0
    finally:
        index.close()


def test_a_merged_or_forgotten_segment_leaves_the_device(
    tmp_path: Path, make_accelerator: MakeAccelerator, make_engine: Callable[[], Engine]
) -> None:
    accelerator = make_accelerator(make_engine)
    index = filled(SegmentedIndex(DIMENSION, tmp_path / "index", OPTIONS, background=False, accelerator=accelerator))
    try:
        until(lambda: accelerator.stats().segments == 2)  # of the many that were sealed and merged
        taken = accelerator.stats().memory_bytes
        index.apply([], [], CROPS + 2, {"c": NOON + timedelta(hours=12)})
        until(lambda: accelerator.stats().segments == 1)
        assert accelerator.stats().memory_bytes < taken
        assert all(
            hit.sighting.captured_at == NOON + timedelta(days=1)
            for hits in index.search(_queries, 10, Filter("c"))
            for hit in hits.hits
        )
        assert accelerator.stats().problem is None
    finally:
        index.close()


def test_a_deleted_crop_is_in_no_answer_although_the_device_still_has_it(
    tmp_path: Path, make_accelerator: MakeAccelerator, make_engine: Callable[[], Engine]
) -> None:
    accelerator = make_accelerator(make_engine)
    index = filled(SegmentedIndex(DIMENSION, tmp_path / "index", OPTIONS, background=False, accelerator=accelerator))
    settled(accelerator)
    try:
        query = unit(_vectors[41] + 0.01 * _vectors[42])
        (before,) = index.search(query[None], 3, Filter("c"))
        assert before.hits[0].sighting.id == UUID(int=42)
        index.apply([], [UUID(int=42)], CROPS + 2)
        (after,) = index.search(query[None], 3, Filter("c"))
        assert [hit.sighting.id for hit in after.hits[:2]] == [hit.sighting.id for hit in before.hits[1:]]
        assert accelerator.stats().searches_by_cpu == 0
    finally:
        index.close()
