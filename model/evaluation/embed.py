"""From a list of crops to embeddings, by the same two calls that the service makes."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.datasets import Crops


class ImageEmbedder(Protocol):
    """What makes embeddings of crops: `model.embedder.Embedder`, or a baseline."""

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """One decoded crop as `embed` takes it."""

    def embed(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Unit-length rows, shape (N, D), for N prepared crops."""


def embed_crops(embedder: ImageEmbedder, crops: Crops, batch: int = 32) -> NDArray[np.float32]:
    """Embed a list, in its order.

    Args:
        embedder: What makes the embeddings.
        crops: The list.
        batch: Crops embedded at once.

    Returns:
        Unit-length rows, shape (len(crops), D).
    """
    prepared = np.stack([embedder.prepare(crop.open()) for crop in crops])
    return np.concatenate([embedder.embed(prepared[start : start + batch]) for start in range(0, len(prepared), batch)])
