"""Bytes of memory per vector, by codec: `python -m bench.memory`.

Counted is what opening a snapshot and searching adds to a fresh process, by the kernel's own account
(/proc/self/smaps_rollup): memory of its own, and pages of mapped files that it has touched. After unfiltered and
filtered searches these are the codes that a scan reads, the columns, the words, and of the half-precision vectors the
pages on which contenders lay. The target is 1.1 times the bytes of the codec's scan and 64 for everything else.
"""

import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np

from bench.galleries import Gallery, write_index
from bench.harness import arguments, print_table, step, write_report
from bench.reopening import Reopened, reopened
from index.codecs import CODECS

ALLOWED_BESIDE: Final = 64


def measure(gallery: Gallery, codec: str) -> Reopened:
    """Open and search a gallery in a fresh process."""
    folder = Path(tempfile.mkdtemp(prefix="clip-senet-bench-"))
    try:
        with step(f"{codec}: writing segments"):
            write_index(gallery, folder / "index", codec)
        np.save(folder / "queries.npy", gallery.queries)
        return reopened(folder / "index", folder / "queries.npy")
    finally:
        shutil.rmtree(folder)


def main() -> None:
    """Measure, print and write; the exit status is 1 where an exact codec misses the target."""
    parser = arguments(__doc__, 1_000_000)
    parser.add_argument("--codec", action="append", choices=list(CODECS), help="may be repeated (default: all)")
    options = parser.parse_args()
    with step(f"making up {options.size:,} crops"):
        gallery = Gallery.made_up(options.size, options.dimension)
    figures, rows, missed = [], [], False
    for codec in options.codec or CODECS:
        found = measure(gallery, codec)
        own, mapped = found.searched.anonymous / found.crops, found.searched.mapped / found.crops
        scanned = CODECS[codec].bytes_per_vector(options.dimension)
        target = 1.1 * scanned + ALLOWED_BESIDE
        missed |= own + mapped > target and not CODECS[codec].approximate
        rows.append((codec, scanned, own, mapped, own + mapped, target, found.disk_bytes / found.crops))
        figures.append({"codec": codec, "bytes_per_vector": own + mapped, "target": target, **asdict(found)})
    print_table(
        f"bytes per vector, {options.size:,} x {options.dimension}, opened from a snapshot and searched",
        ("codec", "a scan reads", "own memory", "mapped files touched", "together", "target", "disk"),
        rows,
    )
    write_report("memory", options=vars(options), figures=figures)
    raise SystemExit(missed)


if __name__ == "__main__":
    main()
