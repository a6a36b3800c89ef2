"""What a device helps to find is what the CPU finds alone, whatever the filter and however wrong the device."""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.contenders import clustered, oracle, require_contenders
from support.devices import CpuEngine, CpuIndex
from support.vectors import unit, unit_rows

from index.codecs import CODECS, SegmentVectors
from index.gpu.accelerator import Accelerator
from index.gpu.engine import MOST_ASKED, DeviceIndex, Engine
from index.ranking import exact_scores

Written = Callable[..., SegmentVectors]
MakeAccelerator = Callable[..., Accelerator]
ROWS, DIMENSION = 4000, 64


def held_by(vectors: SegmentVectors) -> NDArray[np.float32]:
    return vectors.held(np.arange(vectors.rows))


@pytest.mark.parametrize("codec", ["fp32", "fp16", "sq8"])
def test_the_k_best_are_among_the_contenders(
    written: Written, make_accelerator: MakeAccelerator, make_engine: Callable[[], Engine], codec: str
) -> None:
    random = np.random.default_rng(1)
    accelerator = make_accelerator(make_engine)
    vectors = written(clustered(2, ROWS, DIMENSION), accelerator, codec)
    for share in (1.0, 0.98, 0.5, 0.2, 0.01, 0.0):
        allowed = random.random(ROWS) < share
        for k in (1, 10, 500, 3000):
            for query in (vectors.held(random.integers(ROWS, size=1))[0], unit(random.standard_normal(DIMENSION))):
                require_contenders(vectors, held_by(vectors), query, k, allowed)
    stats = accelerator.stats()
    assert stats.problem is None
    assert stats.searches >= 8  # all of 1 and 10 best with the wide filters
    assert stats.searches_by_cpu >= 16


@pytest.mark.parametrize(("share", "by_device"), [(1.0, True), (0.99, True), (0.1, True), (0.01, False)])
def test_a_filter_is_kept_and_a_narrow_one_is_the_cpus(
    *,
    written: Written,
    make_accelerator: MakeAccelerator,
    make_engine: Callable[[], Engine],
    share: float,
    by_device: bool,
) -> None:
    accelerator = make_accelerator(make_engine)
    vectors = written(unit_rows(3, ROWS, DIMENSION), accelerator)
    allowed = np.random.default_rng(4).random(ROWS) < share
    query = unit(np.random.default_rng(5).standard_normal(DIMENSION))
    require_contenders(vectors, held_by(vectors), query, 10, allowed)
    assert (accelerator.stats().searches, accelerator.stats().searches_by_cpu) == (by_device, not by_device)


def test_a_filter_that_leaves_out_just_the_nearest_is_the_cpus(
    written: Written, make_accelerator: MakeAccelerator, make_engine: Callable[[], Engine]
) -> None:
    accelerator = make_accelerator(make_engine)
    vectors = written(clustered(6, ROWS, DIMENSION), accelerator)
    query = unit(np.random.default_rng(7).standard_normal(DIMENSION))
    scores = exact_scores(vectors.held(np.arange(ROWS)), query)
    allowed = scores < np.sort(scores)[-1000]  # three quarters, none of them near
    require_contenders(vectors, held_by(vectors), query, 10, allowed)
    assert accelerator.stats().searches == 0


def test_near_ties_that_half_precision_cannot_tell_apart_are_all_contenders(
    written: Written, make_accelerator: MakeAccelerator, make_engine: Callable[[], Engine]
) -> None:
    random = np.random.default_rng(8)
    accelerator = make_accelerator(make_engine)
    for near in (40, 500):  # within what is asked for, and beyond it
        vectors = unit_rows(9, ROWS, DIMENSION)
        middle = unit(random.standard_normal(DIMENSION))
        vectors[:near] = unit(middle + 3e-4 * random.standard_normal((near, DIMENSION)))
        accelerated = written(vectors, accelerator, "fp32")
        for _ in range(20):
            query = unit(middle + 0.01 * random.standard_normal(DIMENSION))
            require_contenders(accelerated, held_by(accelerated), query, 5, np.ones(ROWS, dtype=np.bool_))
    assert accelerator.stats().searches == 20
    assert accelerator.stats().searches_by_cpu == 20


def test_more_than_a_device_answers_at_once_is_the_cpus(
    written: Written, make_accelerator: MakeAccelerator, make_engine: Callable[[], Engine]
) -> None:
    accelerator = make_accelerator(make_engine)
    vectors = written(unit_rows(10, ROWS, DIMENSION), accelerator)
    query, everything = unit(np.ones(DIMENSION)), np.ones(ROWS, dtype=np.bool_)
    require_contenders(vectors, held_by(vectors), query, MOST_ASKED - 64, everything)
    require_contenders(vectors, held_by(vectors), query, MOST_ASKED - 63, everything)
    assert (accelerator.stats().searches, accelerator.stats().searches_by_cpu) == (1, 1)


class TestAGraph:
    @pytest.fixture
    def accelerator(self, make_accelerator: MakeAccelerator, make_engine: Callable[[], Engine]) -> Accelerator:
        return make_accelerator(make_engine)

    @pytest.fixture
    def vectors(self, written: Written, accelerator: Accelerator) -> SegmentVectors:
        return written(clustered(11, ROWS, DIMENSION), accelerator, "rabitq")

    def test_finds_most_of_the_nearest(self, vectors: SegmentVectors, accelerator: Accelerator) -> None:
        random = np.random.default_rng(12)
        shares = []
        for share in (1.0, 0.6):
            allowed = random.random(ROWS) < share
            for query in vectors.held(random.integers(ROWS, size=20)):
                rows = vectors.contenders(query, 10, allowed, int(allowed.sum()), exact=False)
                assert allowed[rows].all()
                assert (np.diff(rows) > 0).all()
                assert len(rows) >= 10
                shares.append(np.isin(oracle(held_by(vectors), query, 10, allowed), rows).mean())
        assert np.mean(shares) >= 0.95
        assert accelerator.stats().searches == 40

    def test_does_no_exact_search(self, vectors: SegmentVectors, accelerator: Accelerator) -> None:
        require_contenders(vectors, held_by(vectors), unit(np.ones(DIMENSION)), 10, np.ones(ROWS, dtype=np.bool_))
        assert (accelerator.stats().searches, accelerator.stats().searches_by_cpu) == (0, 1)

    def test_that_finds_too_few_of_the_filter_leaves_it_to_the_cpu(
        self, vectors: SegmentVectors, accelerator: Accelerator
    ) -> None:
        query = unit(np.random.default_rng(13).standard_normal(DIMENSION))
        scores = exact_scores(vectors.held(np.arange(ROWS)), query)
        allowed = scores < np.sort(scores)[-1000]
        rows = vectors.contenders(query, 10, allowed, int(allowed.sum()), exact=False)
        assert len(rows) >= 10
        assert allowed[rows].all()
        assert (accelerator.stats().searches, accelerator.stats().searches_by_cpu) == (0, 1)


class Wrong(CpuEngine):
    """A device whose flat indexes answer something else after they were looked over."""

    def __init__(self, change: Callable[[Any, Any], tuple[Any, Any]]) -> None:
        super().__init__()
        self.change = change

    def flat(self, vectors: NDArray[np.float16]) -> DeviceIndex:
        index, change, searches = super().flat(vectors), self.change, iter(range(10**6))

        class Index(CpuIndex):
            def __init__(self) -> None:
                """Wraps the index above."""

            def search(self, queries: NDArray[np.float32], asked: int) -> Any:
                found = index.search(queries, asked)
                return change(*found) if next(searches) else found

        return Index()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda scores, rows: (scores + np.float32(0.01), rows), "further from the exact ones"),
        (lambda scores, rows: (scores * np.float32(np.nan), rows), "no numbers"),
        (lambda scores, rows: (scores, np.roll(rows, 1)), "further from the exact ones"),
        (lambda scores, rows: (scores, rows * 0), "rows twice"),
        (lambda scores, rows: (scores, np.where(rows == rows[0, -1], -1, rows)), "such as there are not"),
        (lambda scores, rows: (scores, rows + ROWS), "such as there are not"),
    ],
)
def test_a_device_that_answers_what_cannot_be_is_used_no_longer(
    written: Written,
    make_accelerator: MakeAccelerator,
    caplog: pytest.LogCaptureFixture,
    change: Callable[[Any, Any], tuple[Any, Any]],
    said: str,
) -> None:
    accelerator = make_accelerator(lambda: Wrong(change))
    vectors = written(clustered(14, ROWS, DIMENSION), accelerator)
    allowed = np.ones(ROWS, dtype=np.bool_)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            require_contenders(vectors, held_by(vectors), vectors.held(np.array([5]))[0], 10, allowed)
    stats = accelerator.stats()
    assert said in str(stats.problem)
    assert (stats.searches, stats.searches_by_cpu) == (0, 3)
    assert len(caplog.records) == 1
    assert "the CPU searches alone" in caplog.text


def test_vectors_come_from_the_files_not_from_the_device(written: Written, make_accelerator: MakeAccelerator) -> None:
    given = clustered(15, ROWS, DIMENSION)
    for codec in CODECS:
        alone, accelerated = written(given, codec=codec), written(given, make_accelerator(), codec)
        rows = np.arange(ROWS)
        assert np.array_equal(alone.held(rows), accelerated.held(rows))
        assert (alone.rows, alone.dimension, alone.max_error) == (ROWS, DIMENSION, accelerated.max_error)
        assert (alone.memory_bytes, alone.disk_bytes) == (accelerated.memory_bytes, accelerated.disk_bytes)
