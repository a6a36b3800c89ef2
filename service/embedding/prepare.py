"""From an uploaded file to what the model takes, on the decode pool."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from fastapi import UploadFile
from numpy.typing import NDArray

from model.embedder import Embedder
from service.errors import TooLargeError
from service.imaging import DecodePool, ImageDecoder, Quality, measure_quality


@dataclass(frozen=True, slots=True)
class PreparedCrop:
    """One decoded upload.

    Attributes:
        data: The file as it came.
        pixels: What the model takes, shape (side, side, 3), uint8.
        sha256: Digest of `data`.
        media_type: What `data` is.
        quality: Measured on the whole upright picture.
    """

    data: bytes
    pixels: NDArray[np.uint8]
    sha256: bytes
    media_type: str
    quality: Quality


class CropPreparer:
    """Decodes uploads and resizes them for the model, several at once.

    Large pictures never wait in memory: what leaves the pool has the model's input size.

    Args:
        decoder: Reads the files.
        embedder: Knows the model's input.
        pool: Where it is done.
        max_bytes: Size of a file at most, so that larger ones are not read into memory at all.
    """

    def __init__(self, decoder: ImageDecoder, embedder: Embedder, pool: DecodePool, max_bytes: int) -> None:
        self._decoder = decoder
        self._embedder = embedder
        self._pool = pool
        self._max_bytes = max_bytes

    async def prepare(self, upload: UploadFile) -> PreparedCrop:
        """Read, decode, measure and resize one upload.

        Raises:
            ServiceError: The file is no picture that the service reads; see `ImageDecoder.decode`.
        """
        if upload.size is not None and upload.size > self._max_bytes:
            raise TooLargeError(f"An image may have {self._max_bytes} bytes at most; this one has {upload.size}.")
        return await self._pool.run(partial(_prepare, self._decoder, self._embedder), await upload.read())


def _prepare(decoder: ImageDecoder, embedder: Embedder, data: bytes) -> PreparedCrop:
    decoded = decoder.decode(data)
    pixels = embedder.prepare(decoded.picture)
    return PreparedCrop(data, pixels, decoded.sha256, decoded.media_type, measure_quality(decoded.picture))
