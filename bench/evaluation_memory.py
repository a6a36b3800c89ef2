"""Memory and time of ranking at VERI-Wild's size: `python -m bench.evaluation_memory`.

Ranks random unit vectors under the labels of a made-up test as large as VERI-Wild's large one: 10,000 vehicles, one
query each, 128,517 crops in the gallery, 174 cameras, 2048-d. Prints what the embeddings take, the highest memory of
the process and the time. With --fraction 0.1 queries and gallery are a tenth, and the whole is reckoned from it by an
upper bound: the libraries as measured, all else ten times as much, although much of a block of scores does not grow.
"""

import argparse
import resource
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from model.datasets import Crops, LabelledCrop, RetrievalTest
from model.evaluation import Embedded, evaluate_embedded
from service.cli.evaluation_columns import columns_for

QUERIES, GALLERY, CAMERAS, DIMENSION = 10_000, 128_517, 174, 2048
LIMIT_BYTES = 8e9
_ROWS_AT_ONCE = 4096


def unit_vectors(rows: int, dimension: int, seed: int) -> NDArray[np.float32]:
    """Random unit vectors, shape (rows, dimension), made in place."""
    random = np.random.default_rng(seed)
    vectors = np.empty((rows, dimension), dtype=np.float32)
    for start in range(0, rows, _ROWS_AT_ONCE):
        block = random.standard_normal((min(_ROWS_AT_ONCE, rows - start), dimension), dtype=np.float32)
        vectors[start : start + len(block)] = block / np.linalg.norm(block, axis=1, keepdims=True)
    return vectors


def made_up(queries: int, gallery: int) -> RetrievalTest:
    """A query of each vehicle, and about thirteen crops of each in the gallery."""
    random = np.random.default_rng(2)

    def some(vehicles: NDArray[np.int64]) -> Crops:
        cameras = random.integers(CAMERAS, size=len(vehicles)).tolist()
        labels = zip(vehicles.tolist(), cameras, strict=True)
        return Crops("made up", tuple(LabelledCrop(Path(), str(vehicle), str(camera)) for vehicle, camera in labels))

    held = some(np.arange(gallery) % queries)
    return RetrievalTest("made up", some(np.arange(queries)), held, "same_vehicle_same_camera")


def peak_bytes() -> int:
    """The most memory that this process has held."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--fraction", type=float, default=1.0, help="share of queries and gallery")
    parser.add_argument("--dimension", type=int, default=DIMENSION)
    parser.add_argument("--plain", action="store_true", help="leave the columns beside the plain one out")
    options = parser.parse_args()
    queries, gallery = round(QUERIES * options.fraction), round(GALLERY * options.fraction)
    libraries = peak_bytes()
    test = made_up(queries, gallery)
    embedded = Embedded(unit_vectors(queries, options.dimension, 0), unit_vectors(gallery, options.dimension, 1))
    vectors = embedded.query.nbytes + embedded.gallery.nbytes

    began = time.perf_counter()
    steps = iter(track(range(queries), "Ranking", transient=True))
    columns = {} if options.plain else columns_for(test.rule)

    def advance(_: int) -> None:
        next(steps, None)

    evaluate_embedded(embedded, test, columns, advance=advance)
    spent, peak = time.perf_counter() - began, peak_bytes()

    beside = peak - libraries - vectors
    whole = libraries + (vectors + beside) / options.fraction
    table = Table("", "here", "whole", title=f"{queries:,} x {gallery:,}, {options.dimension}-d float32")
    table.add_row("libraries", _gigabytes(libraries), _gigabytes(libraries))
    table.add_row("embeddings", _gigabytes(vectors), _gigabytes(vectors / options.fraction))
    table.add_row("beside them", _gigabytes(beside), _gigabytes(beside / options.fraction))
    table.add_row("peak", _gigabytes(peak), _gigabytes(whole))
    table.add_row("time", f"{spent:.0f} s", "")
    Console().print(table)
    verdict = "stays under" if whole < LIMIT_BYTES else "EXCEEDS"
    Console().print(f"The whole {verdict} {LIMIT_BYTES / 1e9:.0f} GB.")


def _gigabytes(amount: float) -> str:
    return f"{amount / 1e9:.2f} GB"


if __name__ == "__main__":
    main()
