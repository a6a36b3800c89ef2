"""Exact search beside bare FAISS in the same run: `python -m bench.exact_search`.

Prints a table and writes `bench/results/exact_search.json`. Bare FAISS is one index of the same codec with what a
caller would pass it: nothing, or a selector made from a bitmap that is ready before the clock starts; with its default
threads, and once with one. Ours is the whole search: filter, scan, exact scores, ties by id, every hit checked again
and given with its columns. Both must find the same crops.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import faiss
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from index.contract import Filter, Sighting
from index.options import IndexOptions
from index.segmented import SegmentedIndex

RESULTS = Path(__file__).parent / "results" / "exact_search.json"
BARE = {"fp32": "Flat", "fp16": "SQfp16"}
"""By codec, what FAISS calls the same."""
CAMERAS = 50
SEARCHERS = 4

Search = Callable[[NDArray[np.float32]], Sequence[int]]


@dataclass(frozen=True)
class Case:
    """One way of searching, in both engines: each answers the numbers of the crops found, best first."""

    name: str
    ours: Search
    bare: Search


@dataclass(frozen=True)
class Measurement:
    """Times of one case; `ratio` is ours over bare, below 1 where ours is faster."""

    case: str
    ours_ms: float
    ours_p95_ms: float
    bare_ms: float
    bare_p95_ms: float
    ratio: float


def gallery(rows: int, dimension: int) -> NDArray[np.float32]:
    """Unit vectors in clusters of about ten, as the crops of a vehicle are, shape (rows, dimension)."""
    random = np.random.default_rng(0)
    vehicles = random.standard_normal((max(rows // 10, 1), dimension), dtype=np.float32)
    vectors = vehicles[random.integers(len(vehicles), size=rows)]
    vectors += random.standard_normal(vectors.shape, dtype=np.float32) * np.float32(0.8)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def camera(number: int) -> str:
    """Camera that saw a crop."""
    return f"camera-{number % CAMERAS}"


def fill(vectors: NDArray[np.float32], codec: str, folder: Path) -> tuple[SegmentedIndex, faiss.Index]:
    """The same crops in both engines, ours in segments, both with vectors kept alike."""
    ours = SegmentedIndex(vectors.shape[1], folder, IndexOptions(codec=codec), background=False)
    bare = faiss.index_factory(vectors.shape[1], BARE[codec], faiss.METRIC_INNER_PRODUCT)
    bare.train(vectors)
    for start in range(0, len(vectors), 1000):
        block = enumerate(vectors[start : start + 1000], start)
        ours.apply([Sighting(UUID(int=number), "c", vector, camera(number)) for number, vector in block], [], start)
        while ours.maintain():
            pass
    ours.snapshot()
    while ours.maintain():
        pass
    bare.add(vectors)
    return ours, bare


def cases(ours: SegmentedIndex, bare: faiss.Index, k: int) -> list[Case]:
    """Unfiltered, beside FAISS with its default threads and with one; one camera in ten; all cameras but one."""
    some = frozenset(camera(number) for number in range(CAMERAS // 10))
    one = frozenset({camera(3)})
    cameras = np.array([camera(number) for number in range(bare.ntotal)])

    def search_ours(where: Filter) -> Search:
        return lambda query: [hit.sighting.id.int for hit in ours.search(query[None], k, where)[0].hits]

    def search_bare(allowed: NDArray[np.bool_] | None) -> Search:
        if allowed is None:
            return lambda query: bare.search(query[None], k)[1][0].tolist()
        bitmap = np.packbits(allowed, bitorder="little")

        def search(query: NDArray[np.float32]) -> Sequence[int]:
            selector = faiss.IDSelectorBitmap(len(allowed), faiss.swig_ptr(bitmap))
            return bare.search(query[None], k, params=faiss.SearchParameters(sel=selector))[1][0].tolist()

        return search

    def search_bare_on_one_thread(query: NDArray[np.float32]) -> Sequence[int]:
        threads = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(1)
        try:
            return bare.search(query[None], k)[1][0].tolist()
        finally:
            faiss.omp_set_num_threads(threads)

    everything = search_ours(Filter("c"))
    return [
        Case("all crops", everything, search_bare(None)),
        Case("all crops, FAISS on one thread", everything, search_bare_on_one_thread),
        Case("5 of 50 cameras", search_ours(Filter("c", camera_ids=some)), search_bare(np.isin(cameras, list(some)))),
        Case(
            "all cameras but one",
            search_ours(Filter("c", exclude_camera_ids=one)),
            search_bare(~np.isin(cameras, list(one))),
        ),
    ]


def timed_ms(search: Search, query: NDArray[np.float32]) -> float:
    """Milliseconds of one search."""
    start = time.perf_counter()
    search(query)
    return 1e3 * (time.perf_counter() - start)


def measure(case: Case, queries: NDArray[np.float32]) -> Measurement:
    """Time a case query by query, the two engines in turn, so that both meet the same moods of the machine.

    Raises:
        AssertionError: The engines find different crops.
    """
    for query in queries[:3]:
        if case.ours(query) != case.bare(query):
            raise AssertionError(f"{case.name}: the engines find different crops")
    ours, bare = zip(*[(timed_ms(case.ours, query), timed_ms(case.bare, query)) for query in queries], strict=True)
    middle = statistics.median(ours), statistics.median(bare)
    tail = float(np.quantile(ours, 0.95)), float(np.quantile(bare, 0.95))
    return Measurement(case.name, middle[0], tail[0], middle[1], tail[1], middle[0] / middle[1])


def measure_together(case: Case, queries: NDArray[np.float32]) -> Measurement:
    """Time a case with several searches at once: milliseconds per search that a caller waits."""

    def waits(search: Search) -> list[float]:
        with ThreadPoolExecutor(SEARCHERS) as pool:
            return list(pool.map(lambda query: timed_ms(search, query), queries))

    ours, bare = waits(case.ours), waits(case.bare)
    middle = statistics.median(ours), statistics.median(bare)
    tail = float(np.quantile(ours, 0.95)), float(np.quantile(bare, 0.95))
    name = f"{case.name}, {SEARCHERS} searches at once"
    return Measurement(name, middle[0], tail[0], middle[1], tail[1], middle[0] / middle[1])


def show(measurements: list[Measurement], title: str) -> None:
    """Print the table."""
    table = Table("search", "ours ms", "p95", "FAISS ms", "p95", "ratio", title=title)
    for one in measurements:
        times = (one.ours_ms, one.ours_p95_ms, one.bare_ms, one.bare_p95_ms, one.ratio)
        table.add_row(one.case, *(f"{value:.2f}" for value in times))
    for column in table.columns[1:]:
        column.justify = "right"
    Console().print(table)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=100_000, help="crops in the gallery")
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("-k", type=int, default=10, help="crops asked for")
    parser.add_argument("--queries", type=int, default=60)
    parser.add_argument("--codec", choices=BARE, default="fp16")
    options = parser.parse_args()

    vectors = gallery(options.rows, options.dimension)
    queries = vectors[:: max(len(vectors) // options.queries, 1)][: options.queries].copy()
    with tempfile.TemporaryDirectory() as folder:
        ours, bare = fill(vectors, options.codec, Path(folder))
        ways = cases(ours, bare, options.k)
        measurements = [*(measure(case, queries) for case in ways), measure_together(ways[0], queries)]
        ours.close()
    title = f"top {options.k} of {options.rows:,} x {options.dimension} in {options.codec}, {os.cpu_count()} CPUs"
    show(measurements, title)
    RESULTS.parent.mkdir(exist_ok=True)
    report = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cpus": os.cpu_count(), "processor": platform.machine(), "load": os.getloadavg()[0]},
        "versions": {"python": platform.python_version(), "faiss": faiss.__version__, "numpy": np.__version__},
        "options": vars(options),
        "measurements": [asdict(one) for one in measurements],
    }
    RESULTS.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
