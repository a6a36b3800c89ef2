"""How well a crop shows its vehicle, measured on the picture itself."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

_SHARPNESS_SIDE = 256


@dataclass(frozen=True, slots=True)
class Quality:
    """Measured properties of one crop.

    Attributes:
        width: Pixels, after turning upright.
        height: Pixels.
        aspect: width / height.
        brightness: Mean of ITU-R 601 luma, 0 black to 1 white.
        sharpness: Variance of the 4-neighbour Laplacian of luma in [0, 1], on the picture shrunk to 256 px at its
        longest
            side where it is larger (never enlarged). 0 is a plain area; blur lowers it.
    """

    width: int
    height: int
    aspect: float
    brightness: float
    sharpness: float


def measure_quality(picture: Image.Image) -> Quality:
    """Measure one RGB picture; see `Quality` for the definitions and units."""
    grey = picture.convert("L")
    brightness = float(np.asarray(grey, dtype=np.float32).mean() / 255)
    grey.thumbnail((_SHARPNESS_SIDE, _SHARPNESS_SIDE), Image.Resampling.BOX)
    luma = np.asarray(grey, dtype=np.float32) / 255
    padded = np.pad(luma, 1, mode="edge")
    laplacian = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:] - 4 * luma
    width, height = picture.size
    return Quality(width, height, width / height, brightness, float(laplacian.var()))
