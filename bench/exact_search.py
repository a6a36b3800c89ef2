"""Exact search beside a bare FAISS call of the same codec, in one run: `python -m bench.exact_search`.

Ours is the whole search: filter, scan, exact scores, ties by id, every hit checked again and given with its columns and
its vector, from segments of a snapshot. Bare is one FAISS index with all vectors in memory, given nothing, or a
selector made from a bitmap that is ready before the clock starts, on one thread, as FAISS scans for one query. Ours is
measured with one thread and with as many as there are CPUs, among which it shares out the segments of a search. Queries
are asked of both in turn. Recall@10 is measured for each against an exact scan of the vectors as given: what a codec
rounds away is its only loss.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from bench.galleries import (
    A_TENTH,
    COLLECTION,
    EVERYTHING,
    Gallery,
    bare_index,
    camera_name,
    crop_number,
    open_index,
    some_cameras,
    write_index,
)
from bench.harness import Times, arguments, in_turn, print_table, step, timed_ms, write_report
from index.codecs.recall import nearest_rows
from index.contract import Filter
from index.options import IndexOptions
from index.segmented import SegmentedIndex

TARGET: Final = 1.2
CODECS: Final = ("fp32", "fp16", "sq8")
K: Final = 10

Search = Callable[[NDArray[np.float32]], list[int]]


@dataclass(frozen=True)
class Case:
    """A search.

    Attributes:
        name: What it is called.
        where: Its filter.
        allowed: The crops that the filter leaves, shape (crops,); None for all.
        nearest: The nearest of these to each query, shape (queries, K).
    """

    name: str
    where: Filter
    allowed: NDArray[np.bool_] | None
    nearest: NDArray[np.int64]


@dataclass(frozen=True)
class Comparison:
    """One case of one codec. A ratio below 1 says that ours is faster."""

    codec: str
    threads: int
    case: str
    ours: Times
    bare: Times
    ratio: float
    recall_ours: float
    recall_bare: float


def cases(gallery: Gallery) -> list[Case]:
    """No filter, a tenth of the cameras, all cameras but one."""
    but_one = frozenset({camera_name(3)})
    tenth = gallery.on_cameras(some_cameras())
    rest = ~gallery.on_cameras(but_one)
    return [
        Case("all crops", EVERYTHING, None, nearest_rows(gallery.vectors, gallery.queries, K)),
        Case("5 of 50 cameras", A_TENTH, tenth, nearest_of(gallery, tenth)),
        Case("all cameras but one", Filter(COLLECTION, exclude_camera_ids=but_one), rest, nearest_of(gallery, rest)),
    ]


def nearest_of(gallery: Gallery, allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The nearest of some crops to each query."""
    rows = np.flatnonzero(allowed)
    return rows[nearest_rows(gallery.vectors[rows], gallery.queries, K)]


def ours(index: SegmentedIndex, where: Filter) -> Search:
    """Our search."""
    return lambda query: [crop_number(hit.sighting.id) for hit in index.search(query[None], K, where)[0].hits]


def bare(index: Any, allowed: NDArray[np.bool_] | None) -> Search:  # noqa: ANN401 - FAISS has no types
    """FAISS' search."""
    if allowed is None:
        return lambda query: index.search(query[None], K)[1][0].tolist()
    bitmap = np.packbits(allowed, bitorder="little")

    def search(query: NDArray[np.float32]) -> list[int]:
        selector = faiss.IDSelectorBitmap(len(allowed), faiss.swig_ptr(bitmap))
        parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
        found: list[int] = index.search(query[None], K, params=parameters)[1][0].tolist()
        return found

    return search


def recall(search: Search, queries: NDArray[np.float32], nearest: NDArray[np.int64]) -> float:
    """Share of the nearest that are found."""
    return float(np.mean([np.isin(rows, search(query)).mean() for query, rows in zip(queries, nearest, strict=True)]))


def compare(codec: str, threads: int, case: Case, searches: tuple[Search, Search], gallery: Gallery) -> Comparison:
    """Measure one case."""
    times = in_turn({"ours": searches[0], "bare": searches[1]}, list(gallery.queries))
    found = [recall(search, gallery.queries, case.nearest) for search in searches]
    ratio = times["ours"].median_ms / times["bare"].median_ms
    return Comparison(codec, threads, case.name, times["ours"], times["bare"], ratio, *found)


def compare_together(codec: str, one: Case, searches: tuple[Search, Search], gallery: Gallery) -> Comparison:
    """Measure one case with as many searches at once as there are CPUs: the milliseconds that each caller waits."""
    at_once = os.cpu_count() or 1

    def waits(search: Search) -> Times:
        with ThreadPoolExecutor(at_once, initializer=faiss.omp_set_num_threads, initargs=(1,)) as pool:
            return Times.of(list(pool.map(lambda query: timed_ms(lambda: search(query)), gallery.queries)))

    own, other = (waits(search) for search in searches)
    found = [recall(search, gallery.queries, one.nearest) for search in searches]
    name = f"{one.name}, {at_once} at once"
    return Comparison(codec, at_once, name, own, other, own.median_ms / other.median_ms, *found)


def compare_codec(codec: str, gallery: Gallery, all_cases: list[Case]) -> list[Comparison]:
    """Measure one codec."""
    folder = Path(tempfile.mkdtemp(prefix="clip-senet-bench-"))
    found = []
    try:
        with step(f"{codec}: writing segments"):
            write_index(gallery, folder, codec)
        with step(f"{codec}: filling FAISS"):
            other = bare_index(codec, gallery.vectors)
        for threads in sorted({1, os.cpu_count() or 1}):
            index = open_index(folder, gallery.vectors.shape[1], IndexOptions(codec=codec, threads=threads))
            pairs = [(case, (ours(index, case.where), bare(other, case.allowed))) for case in all_cases]
            with step(f"{codec}: searching with {threads} threads"):
                found += [compare(codec, threads, case, searches, gallery) for case, searches in pairs]
                if threads > 1:
                    found.append(compare_together(codec, *pairs[0], gallery))
            index.close()
    finally:
        shutil.rmtree(folder)
    return found


def main() -> None:
    """Measure, print and write; the exit status is 1 where an unfiltered search misses the target."""
    parser = arguments(__doc__, 1_000_000)
    parser.add_argument("--codec", action="append", choices=CODECS, help="may be repeated (default: all exact ones)")
    options = parser.parse_args()
    faiss.omp_set_num_threads(1)  # this thread's own number
    with step(f"making up {options.size:,} crops"):
        gallery = Gallery.made_up(options.size, options.dimension)
    with step("finding the nearest of each query by an exact scan"):
        all_cases = cases(gallery)
    found = [one for codec in options.codec or CODECS for one in compare_codec(codec, gallery, all_cases)]
    print_table(
        f"top {K} of {options.size:,} x {options.dimension}",
        ("codec", "threads", "search", "ours ms", "p95", "FAISS ms", "p95", "ratio", "recall ours", "recall FAISS"),
        [
            (
                one.codec,
                str(one.threads),
                one.case,
                one.ours.median_ms,
                one.ours.p95_ms,
                one.bare.median_ms,
                one.bare.p95_ms,
                one.ratio,
                one.recall_ours,
                one.recall_bare,
            )
            for one in found
        ],
    )
    write_report("exact_search", options=vars(options), target_ratio=TARGET, comparisons=found)
    raise SystemExit(any(one.ratio > TARGET for one in found if one.case == "all crops"))


if __name__ == "__main__":
    main()
