"""The owner of a device: who waits, who does not, and what happens when something goes wrong there."""

import gc
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event, get_ident
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.devices import CpuEngine, CpuIndex, settled, until
from support.vectors import unit_rows

from index.codecs import SegmentVectors
from index.gpu.accelerator import Accelerator
from index.gpu.engine import Engine

Written = Callable[..., SegmentVectors]
MakeAccelerator = Callable[..., Accelerator]
ROWS, DIMENSION = 300, 32
QUERIES = unit_rows(0, 8, DIMENSION)
OUT_OF_MEMORY = "Error in allocMemory(const AllocRequest&): CUDA memory allocation error"


class Hooked(CpuEngine):
    """A device that does something before it copies or searches."""

    def __init__(
        self,
        before_flat: Callable[[], None] = lambda: None,
        before_search: Callable[[int], None] = lambda queries: None,
    ) -> None:
        super().__init__()
        self.before_flat, self.before_search = before_flat, before_search

    def flat(self, vectors: NDArray[np.float16]) -> CpuIndex:
        self.before_flat()
        index, engine = super().flat(vectors), self

        class Index(CpuIndex):
            looked_over = False

            def search(self, queries: NDArray[np.float32], asked: int) -> Any:
                if self.looked_over:
                    engine.before_search(len(queries))
                self.looked_over = True
                return super().search(queries, asked)

        return Index(self, index._index, scores=True)


def failing(error: Exception, times: int) -> Callable[..., None]:
    """Raises an error so many times, and nothing afterwards."""
    left = iter(range(times))

    def fail(*_: object) -> None:
        if next(left, None) is not None:
            raise error

    return fail


def vectors_of(written: Written, accelerator: Accelerator, seed: int = 1) -> SegmentVectors:
    return written(unit_rows(seed, ROWS, DIMENSION), accelerator)


def search(vectors: SegmentVectors, number: int = 0, k: int = 5) -> NDArray[np.int64]:
    """Search without a filter, and require the answer to be complete."""
    allowed = np.ones(ROWS, dtype=np.bool_)
    rows = vectors.contenders(QUERIES[number], k, allowed, ROWS, exact=True)
    scores = vectors.held(np.arange(ROWS)).astype(np.float64) @ QUERIES[number]
    assert np.isin(np.argsort(-scores)[:k], rows).all()
    return rows


def by_device(accelerator: Accelerator, vectors: SegmentVectors, number: int = 0) -> bool:
    """Whether a search is answered by the device."""
    before = accelerator.stats().searches
    search(vectors, number)
    return accelerator.stats().searches > before


class TestMemory:
    def test_a_segment_beyond_the_budget_waits_until_another_leaves(
        self, written: Written, make_accelerator: MakeAccelerator, make_engine: Callable[[], Engine], caplog: Any
    ) -> None:
        one = CpuEngine().flat_bytes(ROWS, DIMENSION)
        accelerator = make_accelerator(make_engine, memory_bytes=int(1.9 * one))
        first = vectors_of(written, accelerator)
        until(lambda: accelerator.stats().segments == 1)
        with caplog.at_level(logging.WARNING):
            accelerator.take = lambda copy: Accelerator.take(accelerator, copy)
            second, third = vectors_of(written, accelerator, 2), vectors_of(written, accelerator, 3)
            until(lambda: len(accelerator._parked) == 2 and not accelerator._loading)
        assert by_device(accelerator, first)
        assert not by_device(accelerator, second)
        assert (accelerator.stats().segments, accelerator.stats().waiting) == (1, 2)
        assert one <= accelerator.stats().memory_bytes < 2 * one
        assert [record.getMessage() for record in caplog.records] == [
            "tested has no room for all segments, the CPU searches the others: 0 MiB are taken"
        ]
        del first
        gc.collect()
        until(lambda: accelerator.stats().segments == 1 and len(accelerator._parked) == 1 and not accelerator._loading)
        assert by_device(accelerator, second) != by_device(accelerator, third)

    def test_a_device_out_of_memory_while_copying_is_tried_again_when_a_segment_leaves(
        self, written: Written, make_accelerator: MakeAccelerator, caplog: Any
    ) -> None:
        calls = iter(range(10))

        def second_fails() -> None:
            if next(calls) == 1:
                raise RuntimeError(OUT_OF_MEMORY)

        accelerator = make_accelerator(lambda: Hooked(second_fails))
        accelerator.take = lambda copy: Accelerator.take(accelerator, copy)
        first, second = vectors_of(written, accelerator), vectors_of(written, accelerator, 2)
        until(lambda: accelerator.stats().segments == 1 and accelerator._parked and not accelerator._loading)
        assert by_device(accelerator, first)
        assert not by_device(accelerator, second)
        assert OUT_OF_MEMORY in caplog.text
        assert accelerator.stats().problem is None
        del first
        gc.collect()
        until(lambda: accelerator.stats().waiting == 0)
        assert by_device(accelerator, second)

    @pytest.mark.parametrize("error", [RuntimeError(OUT_OF_MEMORY), MemoryError("std::bad_alloc")])
    def test_a_device_out_of_memory_while_searching_gives_up_the_segment_only(
        self, written: Written, make_accelerator: MakeAccelerator, error: Exception
    ) -> None:
        fail = failing(error, 1)
        accelerator = make_accelerator(lambda: Hooked(before_search=fail))
        first, second = vectors_of(written, accelerator), vectors_of(written, accelerator, 2)
        assert not by_device(accelerator, first)  # it fails, and the answer is right
        assert not by_device(accelerator, first)
        assert by_device(accelerator, second)
        assert (accelerator.stats().segments, accelerator.stats().waiting) == (1, 1)
        assert accelerator.stats().problem is None


class TestErrors:
    def test_after_an_error_in_a_search_the_cpu_searches_alone(
        self, written: Written, make_accelerator: MakeAccelerator, caplog: Any
    ) -> None:
        accelerator = make_accelerator(lambda: Hooked(before_search=failing(RuntimeError("no kernel image"), 1)))
        first, second = vectors_of(written, accelerator), vectors_of(written, accelerator, 2)
        assert not by_device(accelerator, first)
        until(lambda: accelerator.stats().segments == 0)
        assert not by_device(accelerator, first)
        assert not by_device(accelerator, second)
        assert accelerator.stats().problem == "RuntimeError: no kernel image"
        assert accelerator.stats().searches_by_cpu == 3
        assert not accelerator.worth_a_copy(10**6)
        assert [record.getMessage() for record in caplog.records] == [
            "tested is used no longer, the CPU searches alone: RuntimeError: no kernel image"
        ]

    def test_after_an_error_in_copying_the_cpu_searches_alone(
        self, written: Written, make_accelerator: MakeAccelerator, caplog: Any
    ) -> None:
        accelerator = make_accelerator(lambda: Hooked(failing(RuntimeError("CUDA driver version"), 1)))
        vectors = vectors_of(written, accelerator)
        assert not by_device(accelerator, vectors)
        assert accelerator.stats().problem == "RuntimeError: CUDA driver version"

    def test_a_device_that_cannot_be_opened_is_not_used(
        self, written: Written, make_accelerator: MakeAccelerator, caplog: Any
    ) -> None:
        def broken() -> Engine:
            raise RuntimeError("Invalid GPU device 3")

        accelerator = make_accelerator(broken)
        assert not by_device(accelerator, vectors_of(written, accelerator))
        until(lambda: accelerator.stats().problem == "RuntimeError: Invalid GPU device 3")
        assert "the CPU searches alone" in caplog.text

    def test_a_device_that_lost_what_was_copied_is_not_used(
        self, written: Written, make_accelerator: MakeAccelerator
    ) -> None:
        class Lossy(CpuEngine):
            def flat(self, vectors: NDArray[np.float16]) -> CpuIndex:
                return super().flat(np.where(np.arange(len(vectors))[:, None] < ROWS // 2, vectors, np.float16(0)))

        accelerator = make_accelerator(Lossy)
        assert not by_device(accelerator, vectors_of(written, accelerator))
        assert accelerator.stats().problem == "UnfitError: of the vectors copied to the device it finds 50%"

    def test_a_graph_that_finds_too_little_is_replaced_by_a_flat_index(
        self, written: Written, make_accelerator: MakeAccelerator
    ) -> None:
        class PoorGraph(CpuEngine):
            def graph(self, vectors: NDArray[np.float16]) -> CpuIndex | None:
                return super().graph(np.roll(vectors, 1, axis=0))

        accelerator = make_accelerator(PoorGraph)
        vectors = written(unit_rows(1, ROWS, DIMENSION), accelerator, "rabitq")
        assert by_device(accelerator, vectors)  # exactly, as no graph does it
        assert accelerator.stats().problem is None

    def test_a_build_without_graphs_has_a_flat_index(self, written: Written, make_accelerator: MakeAccelerator) -> None:
        class NoGraph(CpuEngine):
            def graph(self, vectors: NDArray[np.float16]) -> CpuIndex | None:
                return None

        accelerator = make_accelerator(NoGraph)
        assert by_device(accelerator, written(unit_rows(1, ROWS, DIMENSION), accelerator, "rabitq"))

    def test_a_device_that_hangs_is_left_to_itself(self, written: Written, make_accelerator: MakeAccelerator) -> None:
        goes_on = Event()
        hang = lambda queries: goes_on.wait()  # noqa: E731
        accelerator = make_accelerator(lambda: Hooked(before_search=hang), answers_within_s=0.2)
        vectors = vectors_of(written, accelerator)
        started = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            assert not any(pool.map(lambda number: by_device(accelerator, vectors, number), range(4)))
        assert accelerator.stats().problem == "it has not answered for 0.2 s"
        assert not by_device(accelerator, vectors)
        assert time.monotonic() - started < 5
        goes_on.set()


class TestWaiting:
    def test_no_search_waits_for_a_segment_being_copied(
        self, written: Written, make_accelerator: MakeAccelerator
    ) -> None:
        goes_on, copying, first_done = Event(), Event(), Event()

        def block() -> None:
            if first_done.is_set():
                copying.set()
                goes_on.wait()

        accelerator = make_accelerator(lambda: Hooked(block))
        first = vectors_of(written, accelerator)
        assert by_device(accelerator, first)
        first_done.set()
        accelerator.take = lambda copy: Accelerator.take(accelerator, copy)
        second = vectors_of(written, accelerator, 2)
        copying.wait()
        assert not by_device(accelerator, first)
        assert not by_device(accelerator, second)
        assert accelerator.stats().waiting == 1
        goes_on.set()
        settled(accelerator)
        assert by_device(accelerator, first)
        assert by_device(accelerator, second)

    def test_searches_that_wait_are_answered_together_each_its_own(
        self, written: Written, make_accelerator: MakeAccelerator
    ) -> None:
        goes_on, batches = Event(), []

        def note(queries: int) -> None:
            batches.append(queries)
            goes_on.wait()

        accelerator = make_accelerator(lambda: Hooked(before_search=note))
        vectors, other = vectors_of(written, accelerator), vectors_of(written, accelerator, 2)
        with ThreadPoolExecutor(9) as pool:
            answers = [pool.submit(search, vectors, 0)]
            until(lambda: batches == [1])
            answers += [pool.submit(search, vectors, number, k) for number, k in enumerate([1, 5, 9, 20, 50, 100], 1)]
            answers += [pool.submit(search, other, 7)]
            until(lambda: len(accelerator._searches) == 7)
            goes_on.set()
            for answer in answers:
                answer.result()
        assert sorted(batches) == [1, 1, 6]
        assert accelerator.stats().searches == 8

    def test_a_full_queue_leaves_the_search_to_the_cpu(
        self, written: Written, make_accelerator: MakeAccelerator
    ) -> None:
        goes_on, searching = Event(), Event()

        def block(queries: int) -> None:
            searching.set()
            goes_on.wait()

        accelerator = make_accelerator(lambda: Hooked(before_search=block), most_waiting=1)
        vectors = vectors_of(written, accelerator)
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(search, vectors, 0)
            searching.wait()
            second = pool.submit(search, vectors, 1)
            until(lambda: len(accelerator._searches) == 1)
            assert not by_device(accelerator, vectors, 2)
            goes_on.set()
            first.result(), second.result()
        assert (accelerator.stats().searches, accelerator.stats().searches_by_cpu) == (2, 1)

    def test_many_threads_share_the_device_through_its_one(
        self, written: Written, make_accelerator: MakeAccelerator, make_engine: Callable[[], Engine]
    ) -> None:
        accelerator = make_accelerator(make_engine)
        segments = [vectors_of(written, accelerator, seed) for seed in range(3)]
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda n: search(segments[n % 3], n % 8, 1 + n % 40), range(600)))
        assert accelerator.stats().problem is None
        assert accelerator.stats().searches == 600


class TestLeaving:
    def test_what_nobody_searches_any_longer_is_freed_by_the_owner(
        self, written: Written, make_accelerator: MakeAccelerator
    ) -> None:
        freed_by, owner = [], []

        class Noting(CpuIndex):
            def __del__(self) -> None:
                freed_by.append(get_ident())

        class Engine(CpuEngine):
            def flat(self, vectors: NDArray[np.float16]) -> CpuIndex:
                owner.append(get_ident())
                return Noting(self, super().flat(vectors)._index, scores=True)

        accelerator = make_accelerator(Engine)
        first, second = vectors_of(written, accelerator), vectors_of(written, accelerator, 2)
        search(first), search(second)
        del first
        until(lambda: len(freed_by) == 1)
        assert accelerator.stats().segments == 1
        assert by_device(accelerator, second)
        accelerator.close()
        assert freed_by == [owner[0]] * 2

    def test_closing_stops_the_copying_before_vectors_are_let_go_of(
        self, written: Written, make_accelerator: MakeAccelerator
    ) -> None:
        reading, goes_on = Event(), Event()
        accelerator = make_accelerator()
        accelerator.take = lambda copy: Accelerator.take(accelerator, copy)

        class Slow:
            rows, dimension, max_error, memory_bytes, disk_bytes = 40_000, DIMENSION, 0.0, 0, 0
            blocks = 0

            def held(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
                self.blocks += 1
                reading.set()
                goes_on.wait()
                return unit_rows(0, len(rows), DIMENSION)

        from index.gpu.vectors import AcceleratedVectors

        slow = Slow()
        accelerated = AcceleratedVectors(slow, accelerator, approximate=False)
        reading.wait()
        closing = threading.Thread(target=accelerator.close)
        closing.start()
        until(lambda: accelerator._stopping)
        goes_on.set()
        closing.join()
        assert slow.blocks == 1
        assert accelerated._copy.loaded is None
        assert not accelerator._thread.is_alive()

    def test_after_closing_a_search_does_not_wait(self, written: Written, make_accelerator: MakeAccelerator) -> None:
        accelerator = make_accelerator()
        vectors = vectors_of(written, accelerator)
        accelerator.close()
        assert not by_device(accelerator, vectors)


def test_small_segments_are_not_worth_a_copy() -> None:
    accelerator = Accelerator(CpuEngine, "tested", 2**30)
    try:
        assert not accelerator.worth_a_copy(8191)
        assert accelerator.worth_a_copy(8192)
    finally:
        accelerator.close()
