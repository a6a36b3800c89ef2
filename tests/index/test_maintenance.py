"""What is rewritten costs no more memory than it must."""

import tracemalloc
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from support.indexes import TINY
from support.vectors import unit_rows

from index.contract import Filter, Sighting
from index.maintenance import compact
from index.segmented import SegmentedIndex

DIMENSION, ROWS, SEGMENTS = 128, 24_000, 2


@pytest.mark.parametrize(("before", "after"), [("fp16", "fp16"), ("fp16", "sq8"), ("fp32", "sq8")])
def test_a_merge_takes_little_more_than_its_vectors(tmp_path: Path, before: str, after: str) -> None:
    vectors = unit_rows(1, ROWS, DIMENSION)
    index = SegmentedIndex(DIMENSION, tmp_path, replace(TINY, codec=before), background=False)
    for first in range(SEGMENTS):
        rows = range(first, ROWS, SEGMENTS)
        index.apply([Sighting(UUID(int=row + 1), "c", vectors[row], "cam") for row in rows], [], first)
        index.snapshot()
    parts = list(index._state.collections["c"].parts.values())
    assert len(parts) == SEGMENTS
    tracemalloc.start()
    try:
        (merged,) = compact(tmp_path, "c", parts, after, TINY.span_us).new
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(merged) == ROWS
    assert peak < 2 * 4 * DIMENSION * ROWS
    merged.close()
    assert index.search(vectors[:1], 1, Filter("c"))[0].hits[0].sighting.id == UUID(int=1)
    index.close()
