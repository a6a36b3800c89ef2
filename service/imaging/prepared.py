"""What a decoding process makes of one file."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.resizing import resize_crop
from service.imaging.decode import ImageDecoder
from service.imaging.quality import Quality, measure_quality


@dataclass(frozen=True, slots=True)
class PreparedPicture:
    """One decoded file, as the model takes it.

    Attributes:
        pixels: RGB, shape (side, side, 3), uint8.
        sha256: Digest of the file.
        media_type: What the file is.
        quality: Measured on the whole upright picture.
    """

    pixels: NDArray[np.uint8]
    sha256: bytes
    media_type: str
    quality: Quality


def prepare_picture(decoder: ImageDecoder, data: bytes, side: int) -> PreparedPicture:
    """Decode a file, measure it and resize it to a square of `side` pixels.

    Raises:
        ServiceError: As `ImageDecoder.decode`.
    """
    decoded = decoder.decode(data)
    pixels = resize_crop(decoded.picture, side)
    return PreparedPicture(pixels, decoded.sha256, decoded.media_type, measure_quality(decoded.picture))
