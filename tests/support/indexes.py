"""Every backend that promises `index.contract.VectorIndex`, and what else each promises or cannot promise."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.codecs import CODECS
from index.contract import VectorIndex
from index.milvus.index import MilvusIndex, MilvusOptions
from index.options import IndexOptions
from index.segmented import SegmentedIndex
from support.milvus import milvus_lite

MODEL_ID, INSTALLATION = "model", "installation"

TINY = IndexOptions(
    seal_rows=16,
    seal_after=timedelta(milliseconds=50),
    merge_parts=2,
    merge_rows=200,
    purge_after=timedelta(0),
    snapshot_every=timedelta(milliseconds=100),
    threads=2,
)
"""Sizes and times at which everything that an index does in its life happens within a short history."""


@dataclass(frozen=True)
class Backend:
    """A way to make an index.

    Attributes:
        make: Makes an empty index of a dimension in a folder.
        held: What it holds of embeddings of shape (n, dimension).
        score_tolerance: How far a score may be from the exact one.
        complete: Whether the k best are found always, not most likely.
        reopen: Makes an index of a dimension from what another left in a folder; None where the engine keeps it itself.
        examples: Random histories to try.
    """

    make: Callable[[int, Path], VectorIndex]
    held: Callable[[NDArray[np.float32]], NDArray[np.float32]] = field(default=lambda vectors: vectors)
    score_tolerance: float = 0.0
    complete: bool = True
    reopen: Callable[[int, Path], VectorIndex] | None = None
    examples: int = 30


def segmented(codec: str, *, background: bool = False, exact_below: int = 100_000, examples: int = 30) -> Backend:
    """The segmented index with a codec, in tiny steps."""
    options = replace(TINY, codec=codec, exact_below=exact_below)

    def make(dimension: int, folder: Path) -> SegmentedIndex:
        return SegmentedIndex(
            dimension, folder, options, model_id=MODEL_ID, installation=INSTALLATION, background=background
        )

    def reopen(dimension: int, folder: Path) -> SegmentedIndex:
        return SegmentedIndex.open(dimension, folder, MODEL_ID, INSTALLATION, options, background=background)

    return Backend(
        make,
        CODECS[codec].held,
        complete=exact_below > 0 or not CODECS[codec].approximate,
        reopen=reopen,
        examples=examples,
    )


def milvus() -> Backend:
    """The index on Milvus Lite, which looks at few candidates one by one and has Milvus find the nearest of more."""
    options = MilvusOptions(kind="FLAT", exact_below=3, purge_after=timedelta(seconds=2), timeout_s=60)

    def make(dimension: int, folder: Path) -> MilvusIndex:
        # one server for all, as in use; the folder tells the indexes apart
        return MilvusIndex(dimension, milvus_lite(), installation=str(folder), options=options)

    return Backend(make, examples=5)


BACKENDS: dict[str, Backend] = {
    "fp32": segmented("fp32"),
    "fp16-in-background": segmented("fp16", background=True),
    **{name: segmented(name) for name in CODECS if name != "fp32"},
    **{f"{name}-approximate": segmented(name, exact_below=0) for name, one in CODECS.items() if one.approximate},
    "milvus": milvus(),
}
