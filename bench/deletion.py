"""How long a deletion takes until the crop is in no file of the index: `python -m bench.deletion`.

Deleted are one crop; a hundred of one day; one of each day; a whole day. Each time: until no search finds them, and
until no file holds them and no snapshot names one that did, searches going on beside it in one thread. The files are
flushed to the disk as in service. What PostgreSQL does for a deletion comes in addition.
"""

import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Final, Self

from bench.galleries import DAYS, EVERYTHING, Gallery, crop_id, open_index, write_index
from bench.harness import Times, arguments, print_table, step, timed_ms, write_report
from index.codecs import DEFAULT_CODEC
from index.options import IndexOptions
from index.segmented import SegmentedIndex

REPEATED: Final = 5
PAUSE_S: Final = 5.0


@dataclass(frozen=True)
class Deleted:
    """One kind of deletion.

    Attributes:
        what: What was deleted.
        crops: How many crops that is.
        answers_ms: Until no search finds them.
        files_s: Until no file holds them, on an average.
        longest_files_s: The longest of these.
        written_mib: What was written to files for it.
        searches: Searches beside it.
    """

    what: str
    crops: int
    answers_ms: float
    files_s: float
    longest_files_s: float
    written_mib: float
    searches: Times


class Searching:
    """Searches in one thread, for as long as the block runs."""

    def __init__(self, index: SegmentedIndex, gallery: Gallery) -> None:
        self._index, self._gallery = index, gallery
        self._stop = Event()
        self._thread = Thread(target=self._search)
        self.taken: list[float] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _search(self) -> None:
        while not self._stop.is_set():
            query = self._gallery.queries[len(self.taken) % len(self._gallery.queries)][None]
            self.taken.append(timed_ms(lambda: self._index.search(query, 10, EVERYTHING)))  # noqa: B023 - called at once


def written_bytes() -> int:
    """What this process has sent to the disk so far."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))


def deleted(index: SegmentedIndex, gallery: Gallery, what: str, sets: Sequence[Sequence[int]]) -> Deleted:
    """Delete sets of crops one after the other."""
    answers, files = [], []
    before = written_bytes()
    with step(what), Searching(index, gallery) as searching:
        for numbers in sets:
            ids = [crop_id(number) for number in numbers]
            answers.append(timed_ms(lambda ids=ids: index.apply((), ids, index.watermark + 1)))  # type: ignore[misc]
            files.append(1e-3 * timed_ms(index.purge))
    written = (written_bytes() - before) / len(sets) / 2**20
    crops = len(sets[0])
    return Deleted(
        what, crops, sum(answers) / len(sets), sum(files) / len(sets), max(files), written, Times.of(searching.taken)
    )


def measure(index: SegmentedIndex, gallery: Gallery) -> list[Deleted]:
    """All kinds, the small ones several times."""
    index.purge()  # the one at the start, which finds nothing
    day = len(gallery) // DAYS
    with step("searches alone"), Searching(index, gallery) as searching:
        time.sleep(PAUSE_S)
    alone = Deleted("nothing", 0, 0, 0, 0, 0, Times.of(searching.taken))
    times = range(REPEATED)
    return [
        alone,
        deleted(index, gallery, "one crop", [[day * (n % DAYS) + day // 2] for n in times]),
        deleted(
            index, gallery, "100 of one day", [range(day * (n % DAYS) + 10, day * (n % DAYS) + 110) for n in times]
        ),
        deleted(index, gallery, "one of each day", [[day * one + 300 + n for one in range(DAYS)] for n in times]),
        deleted(index, gallery, "a whole day", [range(day)]),
    ]


def main() -> None:
    """Measure, print and write."""
    parser = arguments(__doc__, 1_000_000)
    parser.add_argument("--codec", default=DEFAULT_CODEC)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="clip-senet-bench-"))
    try:
        with step("making up a gallery"):
            gallery = Gallery.made_up(options.size, options.dimension)
        with step("writing segments"):
            write_index(gallery, folder, options.codec)
        index = open_index(folder, options.dimension, IndexOptions(codec=options.codec))
        try:
            segments = index.stats().collections[EVERYTHING.collection].parts
            found = measure(index, gallery)
        finally:
            index.close()
    finally:
        shutil.rmtree(folder)
    print_table(
        f"{options.size:,} x {options.dimension}, {options.codec}, {segments} segments of {DAYS} days",
        ["deleted", "crops", "no answer, ms", "no file, s", "longest, s", "written, MiB", "search p50", "search p99"],
        [
            (
                one.what,
                one.crops,
                one.answers_ms,
                one.files_s,
                one.longest_files_s,
                one.written_mib,
                one.searches.median_ms,
                one.searches.p99_ms,
            )
            for one in found
        ],
    )
    write_report("deletion", crops=options.size, dimension=options.dimension, codec=options.codec, measurements=found)


if __name__ == "__main__":
    main()
