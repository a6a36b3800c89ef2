"""From lists of crops to embeddings, by the same two calls that the service makes."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.datasets import Crops, LabelledCrop, RetrievalTest
from model.evaluation.ranking import EvaluationError

Advance = Callable[[int], None]
"""Is told how many more crops or queries are done."""

_UNIT_TOLERANCE = 1e-3


class ImageEmbedder(Protocol):
    """What makes embeddings of crops: `model.embedder.Embedder`, or a baseline."""

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """One decoded crop as `embed` takes it; called from several threads at once."""

    def embed(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Unit-length rows, shape (N, D), for N prepared crops."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """Embeddings of a test, in the order of its lists.

    Attributes:
        query: Unit-length rows, shape (Q, D).
        gallery: Unit-length rows, shape (G, D).
    """

    query: NDArray[np.float32]
    gallery: NDArray[np.float32]


def embed_test(
    embedder: ImageEmbedder, test: RetrievalTest, *, batch: int = 32, advance: Advance | None = None
) -> Embedded:
    """Embed queries and gallery; once only where they are one list.

    Args:
        embedder: What makes the embeddings.
        test: The lists.
        batch: Crops embedded at once.
        advance: Told of crops done.

    Raises:
        DatasetError: A crop is not there or cannot be decoded.
        EvaluationError: An embedding is not finite or not of unit length.
    """
    gallery = embed_crops(embedder, test.gallery, batch, advance)
    if is_one_list(test):
        return Embedded(gallery, gallery)
    return Embedded(embed_crops(embedder, test.query, batch, advance), gallery)


def is_one_list(test: RetrievalTest) -> bool:
    """Whether queries and gallery are the same crops, which then are embedded once."""
    return test.query.items == test.gallery.items


def crops_to_embed(test: RetrievalTest) -> int:
    """How many crops `embed_test` embeds, and tells `advance` of."""
    return len(test.gallery) if is_one_list(test) else len(test.query) + len(test.gallery)


def embed_crops(
    embedder: ImageEmbedder, crops: Crops, batch: int = 32, advance: Advance | None = None
) -> NDArray[np.float32]:
    """Embed a list, in its order. No more than two batches of pictures are in memory at a time.

    Args:
        embedder: What makes the embeddings.
        crops: The list, not empty.
        batch: Crops embedded at once.
        advance: Told of crops done.

    Returns:
        Unit-length rows, shape (len(crops), D).

    Raises:
        DatasetError: A crop is not there or cannot be decoded.
        EvaluationError: The list is empty, or an embedding is not finite or not of unit length.
    """
    if not len(crops):
        raise EvaluationError(f"{crops.name} holds no crop, so there is nothing to embed.")
    embeddings: NDArray[np.float32] | None = None
    done = 0
    with ThreadPoolExecutor() as pool:
        for prepared in _prepared(embedder, crops.items, batch, pool):
            rows = embedder.embed(prepared)
            if embeddings is None:
                embeddings = np.empty((len(crops), rows.shape[1]), dtype=np.float32)
            need_unit_rows(rows, crops.items[done : done + len(rows)])
            embeddings[done : done + len(rows)] = rows
            done += len(rows)
            if advance:
                advance(len(rows))
    assert embeddings is not None  # noqa: S101 - the list is not empty
    return embeddings


def _prepared(
    embedder: ImageEmbedder, items: Sequence[LabelledCrop], batch: int, pool: Executor
) -> Iterator[NDArray[np.uint8]]:
    """Batches of prepared crops, the next one being read while the last is embedded."""

    def prepare(crop: LabelledCrop) -> NDArray[np.uint8]:
        return embedder.prepare(crop.open())

    starts = range(0, len(items), batch)
    coming = pool.map(prepare, items[:batch])
    for start in starts:
        ready, coming = coming, pool.map(prepare, items[start + batch : start + 2 * batch])
        yield np.stack(list(ready))


def need_unit_rows(rows: NDArray[np.float32], items: Sequence[LabelledCrop]) -> None:
    """Refuse embeddings that are not finite or not of unit length: their scores would be no cosines.

    Args:
        rows: Shape (N, D).
        items: The crops that they are of, for the message.

    Raises:
        EvaluationError: One is such; the message names its crop.
    """
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows))
    wrong = np.flatnonzero(~(np.abs(lengths - 1) < _UNIT_TOLERANCE))  # NaN compares as false, so this finds it too
    if len(wrong):
        crop = items[wrong[0]]
        found = f"length {lengths[wrong[0]]:.3g}" if np.isfinite(lengths[wrong[0]]) else "values that are not finite"
        raise EvaluationError(
            f"The embedding of {crop.path} has {found}, expected a unit vector: the weights are damaged or diverged."
        )
