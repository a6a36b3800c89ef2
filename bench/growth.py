"""How time and memory grow from 10^4 to 10^6 crops: `python -m bench.growth`.

For each size and codec: the time of an unfiltered search on one thread, beside a bare FAISS index of the codec, and
what the index adds to a fresh process that opens and searches it. The time is that of the fastest tenth, because a
curve is to show the index and not what else the machine did meanwhile. The line of memory bandwidth is what a scan must
read, divided by the bytes a second at which one thread of this machine sums up a large array, measured in the same run:
no scan is faster. Draws docs/images/growth.png where `--picture` says so.
"""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np

from bench.exact_search import bare, ours
from bench.galleries import EVERYTHING, Gallery, bare_index, open_index, write_index
from bench.harness import arguments, in_turn, print_table, read_bandwidth, step, write_report
from bench.reopening import reopened
from index.codecs import CODECS
from index.options import IndexOptions

SMALLEST: Final = 10_000
_COLOURS: Final = {"fp32": "#7a5195", "fp16": "#2f6db3", "sq8": "#d1495b"}


@dataclass(frozen=True)
class Point:
    """One codec at one size.

    Attributes:
        codec: The codec.
        crops: Crops in the index.
        parts: Segments.
        ours_ms: Time of a search on one thread, of which one in ten is faster.
        bare_ms: The same of FAISS.
        bandwidth_ms: What reading the codes takes at the measured bandwidth.
        memory_bytes: What the index has added to a fresh process.
    """

    codec: str
    crops: int
    parts: int
    ours_ms: float
    bare_ms: float
    bandwidth_ms: float
    memory_bytes: int


def sizes(largest: int) -> list[int]:
    """10^4, 3 * 10^4, 10^5 ... up to the largest."""
    found = [SMALLEST * factor * 10**power for power in range(6) for factor in (1, 3)]
    return [*(one for one in found if one < largest), largest]


def point(gallery: Gallery, codec: str, bytes_per_s: float) -> Point:
    """Measure one codec on one gallery."""
    dimension = gallery.vectors.shape[1]
    folder = Path(tempfile.mkdtemp(prefix="clip-senet-bench-"))
    try:
        with step(f"{codec}, {len(gallery):,} crops"):
            write_index(gallery, folder / "index", codec)
            np.save(folder / "queries.npy", gallery.queries)
            fresh = reopened(folder / "index", folder / "queries.npy")
            index = open_index(folder / "index", dimension, IndexOptions(codec=codec, threads=1))
            other = bare_index(codec, gallery.vectors)
            times = in_turn({"ours": ours(index, EVERYTHING), "bare": bare(other, None)}, list(gallery.queries))
            index.close()
    finally:
        shutil.rmtree(folder)
    return Point(
        codec=codec,
        crops=len(gallery),
        parts=fresh.parts,
        ours_ms=times["ours"].p10_ms,
        bare_ms=times["bare"].p10_ms,
        bandwidth_ms=1e3 * len(gallery) * CODECS[codec].bytes_per_vector(dimension) / bytes_per_s,
        memory_bytes=fresh.searched.anonymous + fresh.searched.mapped,
    )


def draw(points: list[Point], bytes_per_s: float, dimension: int, path: Path) -> None:
    """Draw time and memory against size."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (time_axes, memory_axes) = plt.subplots(1, 2, figsize=(11, 4.6), facecolor="white", layout="constrained")
    for codec in dict.fromkeys(one.codec for one in points):
        some = [one for one in points if one.codec == codec]
        crops, colour = [one.crops for one in some], _COLOURS[codec]
        time_axes.plot(crops, [one.ours_ms for one in some], "o-", color=colour, label=f"{codec}, this index")
        time_axes.plot(crops, [one.bare_ms for one in some], "x--", color=colour, label=f"{codec}, bare FAISS", lw=1)
        time_axes.plot(crops, [one.bandwidth_ms for one in some], ":", color=colour, label=f"{codec}, bandwidth limit")
        memory_axes.plot(
            crops, [one.memory_bytes / 1e6 for one in some], "o-", color=colour, label=f"{codec}, measured"
        )
        least = [one.crops * CODECS[codec].bytes_per_vector(dimension) / 1e6 for one in some]
        memory_axes.plot(crops, least, ":", color=colour, label=f"{codec}, codes alone")
    time_axes.set_ylabel("milliseconds, one thread")
    time_axes.set_title(f"A search of all crops; dotted: reading at {bytes_per_s / 1e9:.1f} GB/s", fontsize=10)
    memory_axes.set_ylabel("MB")
    memory_axes.set_title("Memory added to a fresh process", fontsize=10)
    for axes in (time_axes, memory_axes):
        _finish(axes, dimension)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def _finish(axes: Any, dimension: int) -> None:  # noqa: ANN401 - loaded only to draw
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:,.10g}")
        axis.set_minor_formatter("")
    axes.set_xlabel(f"crops, {dimension} components each")
    axes.grid(visible=True, which="major", color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False)


def main() -> None:
    """Measure, print, draw and write."""
    parser = arguments(__doc__, 1_000_000)
    parser.add_argument("--codec", action="append", choices=list(_COLOURS), help="may be repeated (default: fp16, sq8)")
    parser.add_argument("--picture", type=Path, help="draw the figures into this file")
    options = parser.parse_args()
    faiss.omp_set_num_threads(1)
    with step("measuring the bandwidth of memory"):
        bytes_per_s = read_bandwidth(1)
    points = []
    for size in sizes(options.size):
        gallery = Gallery.made_up(size, options.dimension)
        points += [point(gallery, codec, bytes_per_s) for codec in options.codec or ("fp16", "sq8")]
    print_table(
        f"growth, {options.dimension} components, one thread, memory read at {bytes_per_s / 1e9:.1f} GB/s",
        ("codec", "crops", "segments", "ours ms", "FAISS ms", "bandwidth ms", "memory MB"),
        [
            (
                one.codec,
                float(one.crops),
                float(one.parts),
                one.ours_ms,
                one.bare_ms,
                one.bandwidth_ms,
                one.memory_bytes / 1e6,
            )
            for one in points
        ],
    )
    write_report("growth", options=vars(options), bytes_per_s=bytes_per_s, points=points)
    if options.picture is not None:
        draw(points, bytes_per_s, options.dimension, options.picture)


if __name__ == "__main__":
    main()
