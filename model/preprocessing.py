"""From a decoded picture to the network's input: the one way for service, training and evaluation alike."""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

RESIZE = "pillow-bicubic"
"""Name of the resizing below, part of the model id: a vector depends on it."""


def resize_crop(image: Image.Image, size: int) -> NDArray[np.uint8]:
    """Resize a crop to the network's square input; the aspect ratio is not kept, as is usual in re-identification.

    Pillow filters over all source pixels when it shrinks, so large crops do not alias. Safe to call from many threads.

    Args:
        image: The crop, upright; any Pillow mode that converts to RGB.
        size: Side of the square in pixels.

    Returns:
        RGB, shape (size, size, 3), writable.
    """
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    return np.array(rgb.resize((size, size), Image.Resampling.BICUBIC))


def to_images(batch: NDArray[np.uint8], device: torch.device | None = None) -> Tensor:
    """Images as the network takes them.

    Args:
        batch: RGB crops, shape (N, size, size, 3).
        device: Where the tensor shall be; None is the CPU.

    Returns:
        Float in [0, 1], shape (N, 3, size, size).
    """
    # Bytes cross to the device, floats are made there: a quarter of the traffic.
    return torch.tensor(batch, device=device).permute(0, 3, 1, 2).float().div(255)
