"""From an uploaded file to what the model takes, by way of the processes that decode."""

from dataclasses import dataclass

import numpy as np
from fastapi import UploadFile
from numpy.typing import NDArray

from service.errors import TooLargeError
from service.imaging import DecodePool, PrepareCrop, Quality


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
        pool: Where it is done.
        side: Of the square that the model takes, in pixels.
        max_bytes: Size of a file at most, so that larger ones are not read into memory at all.
    """

    def __init__(self, pool: DecodePool, side: int, max_bytes: int) -> None:
        self._pool = pool
        self._request = PrepareCrop(side)
        self._max_bytes = max_bytes

    async def prepare(self, upload: UploadFile) -> PreparedCrop:
        """Read, decode, measure and resize one upload.

        Raises:
            ServiceError: The file is no picture that the service reads; see `ImageDecoder.decode`.
        """
        if upload.size is not None and upload.size > self._max_bytes:
            raise TooLargeError(f"An image may have {self._max_bytes} bytes at most; this one has {upload.size}.")
        return await self.prepare_file(await upload.read())

    async def prepare_file(self, data: bytes) -> PreparedCrop:
        """Decode, measure and resize one file.

        Raises:
            ServiceError: It is no picture that the service reads; see `ImageDecoder.decode`.
        """
        made = await self._pool.run(self._request, data)
        return PreparedCrop(data, made.pixels, made.sha256, made.media_type, made.quality)
