"""From a decoded picture to the network's square crop, without torch: whoever decodes pictures need not load it."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

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
