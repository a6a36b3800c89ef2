"""Upserts a second while two threads search, and what that does to the searches: `python -m bench.writes`.

Two threads search all crops without pause, each for the ten nearest of another query, in phases of the same length:
nobody writes; one writer applies batches of 1,024 new crops at a steady pace; the same writer as fast as it can; nobody
writes to what has grown meanwhile. Sealing and compaction run in the background throughout, and threads take turns as
often as in service. A search waits for nobody, so what writing costs it is its share of the CPUs: on two CPUs the two
searches have both to themselves while nobody writes, and share them with the writer and the background when somebody
does.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from threading import Event, Thread
from typing import Final

from bench.galleries import BATCH, COLLECTION, DAYS, EVERYTHING, MODEL, Gallery, crop_id, write_index
from bench.harness import Times, arguments, console, print_table, step, timed_ms, write_report
from index.codecs import DEFAULT_CODEC
from index.contract import SightingColumns
from index.halves import STORED, unit_of
from index.options import IndexOptions
from index.segmented import SegmentedIndex
from index.sightings import halves_of
from service.interpreter import switch_threads_often

SEARCHERS: Final = 2
TARGET_UPSERTS: Final = 20_000
TARGET_P99: Final = 2.0


@dataclass(frozen=True)
class Phase:
    """Searches, and writes beside them.

    Attributes:
        name: What it is called.
        upserts_per_s: Crops written a second.
        crops: Crops in the index at its end.
        searches: Times of the searches.
        searches_per_s: How many there were.
    """

    name: str
    upserts_per_s: float
    crops: int
    searches: Times
    searches_per_s: float


def new_crops(gallery: Gallery, first: int, count: int) -> list[SightingColumns]:
    """Batches of crops like those of the gallery's last day, under new ids, as a follower makes them of the database's.

    The vectors of batches that are alike are the same memory: an index copies what it takes.
    """
    day = min(len(gallery) // DAYS, count)
    last = range(len(gallery) - day, len(gallery))
    vectors, _ = unit_of(gallery.vectors[last.start :].astype(STORED))
    like = SightingColumns.of(COLLECTION, [gallery.sighting(number) for number in last], vectors)
    batches = [like[start : start + BATCH] for start in range(0, day, BATCH)]
    made: list[SightingColumns] = []
    number = first
    for one in cycle(batches):  # the last of a day is smaller
        if number >= first + count:
            break
        high, low = halves_of([crop_id(number + row).int for row in range(len(one))])
        made.append(replace(one, id_high=high, id_low=low, in_halves=True))
        number += len(one)
    return made


def write(index: SegmentedIndex, batches: Iterator[SightingColumns], seconds: float, pace: float) -> float:
    """Apply batches for some time, no faster than a pace; the upserts a second that were reached.

    Raises:
        RuntimeError: The batches did not last.
    """
    began, written = time.perf_counter(), 0
    while (spent := time.perf_counter() - began) < seconds:
        if written > pace * spent:
            time.sleep(written / pace - spent)
            continue
        batch = next(batches, None)
        if batch is None:
            raise RuntimeError("the crops made ahead did not last: raise --fastest")
        index.apply([batch], (), index.watermark + 1)
        written += len(batch)
    return written / (time.perf_counter() - began)


def phase(name: str, index: SegmentedIndex, gallery: Gallery, work: Callable[[], float]) -> Phase:
    """Search in threads while something is done."""
    stop = Event()
    times: list[list[float]] = [[] for _ in range(SEARCHERS)]

    def search(taken: list[float], start: int) -> None:
        for query in cycle([*gallery.queries[start:], *gallery.queries[:start]]):
            if stop.is_set():
                return
            taken.append(timed_ms(lambda query=query: index.search(query[None], 10, EVERYTHING)))  # type: ignore[misc]

    threads = [Thread(target=search, args=(taken, 7 * number)) for number, taken in enumerate(times)]
    with step(name):
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        try:
            upserts = work()
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        spent = time.perf_counter() - began
    taken = [one for some in times for one in some]
    return Phase(name, upserts, index.stats().crops, Times.of(taken), len(taken) / spent)


def measure(index: SegmentedIndex, gallery: Gallery, seconds: float, fastest: int) -> list[Phase]:
    """All phases."""
    steady = new_crops(gallery, len(gallery), int(TARGET_UPSERTS * seconds) + BATCH)
    flood = new_crops(gallery, 2 * len(gallery) + len(steady) * BATCH, int(fastest * seconds))

    def rest() -> float:
        time.sleep(seconds)
        return 0.0

    found = [phase("nobody writes", index, gallery, rest)]
    found.append(
        phase(
            f"written at {TARGET_UPSERTS:,} a second",
            index,
            gallery,
            lambda: write(index, iter(steady), seconds, TARGET_UPSERTS),
        )
    )
    settle(index)
    found.append(
        phase("written as fast as can be", index, gallery, lambda: write(index, iter(flood), seconds, float("inf")))
    )
    settle(index)
    found.append(phase("nobody writes, afterwards", index, gallery, rest))
    return found


def settle(index: SegmentedIndex) -> None:
    """Let the work on files come to its end."""
    with step("work on files"):
        while index.maintain():
            pass


def main() -> None:
    """Measure, print and write; the exit status is 1 where a target is missed."""
    parser = arguments(__doc__, 1_000_000)
    parser.add_argument("--seconds", type=float, default=15, help="length of a phase (default: 15)")
    parser.add_argument("--fastest", type=int, default=60_000, help="crops a second that are made ahead")
    parser.add_argument("--codec", default=DEFAULT_CODEC)
    options = parser.parse_args()
    switch_threads_often()
    folder = Path(tempfile.mkdtemp(prefix="clip-senet-bench-"))
    try:
        with step(f"making up {options.size:,} crops"):
            gallery = Gallery.made_up(options.size, options.dimension)
        with step("writing segments"):
            write_index(gallery, folder, options.codec)
        index = SegmentedIndex.open(
            options.dimension, folder, MODEL, MODEL, IndexOptions(codec=options.codec), background=True
        )
        try:
            found = measure(index, gallery, options.seconds, options.fastest)
        finally:
            index.close()
    finally:
        shutil.rmtree(folder)
    quiet, paced, flooded, _ = found
    ratios = [one.searches.p99_ms / quiet.searches.p99_ms for one in found]
    print_table(
        f"{SEARCHERS} threads searching {options.size:,} x {options.dimension}, {options.codec}",
        ("", "upserts/s", "crops after", "searches/s", "median ms", "p99 ms", "p99 to quiet"),
        [
            (
                one.name,
                one.upserts_per_s,
                float(one.crops),
                one.searches_per_s,
                one.searches.median_ms,
                one.searches.p99_ms,
                ratio,
            )
            for one, ratio in zip(found, ratios, strict=True)
        ],
    )
    write_report(
        "writes",
        options=vars(options),
        targets={"upserts_per_s": TARGET_UPSERTS, "p99_to_quiet": TARGET_P99},
        phases=[{"p99_to_quiet": ratio, **vars(one)} for one, ratio in zip(found, ratios, strict=True)],
    )
    missed = flooded.upserts_per_s < TARGET_UPSERTS or paced.searches.p99_ms > TARGET_P99 * quiet.searches.p99_ms
    console.print("A target was missed." if missed else "Both targets were met.")
    raise SystemExit(missed)


if __name__ == "__main__":
    main()
