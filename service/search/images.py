"""From uploaded query images to one vector."""

import asyncio
from collections.abc import Sequence

import numpy as np
from fastapi import UploadFile
from numpy.typing import NDArray

from service.embedding import Lane
from service.embedding.prepare import PreparedCrop
from service.errors import ServiceError, UnavailableError
from service.runtime import Runtime

_RETRY_AFTER_S = 1


async def prepared(runtime: Runtime, uploads: Sequence[UploadFile]) -> list[PreparedCrop]:
    """The uploads, decoded.

    Raises:
        ServiceError: One cannot be read; the error says which.
    """
    results = await asyncio.gather(*map(runtime.preparer.prepare, uploads), return_exceptions=True)
    for index, result in enumerate(results):
        if isinstance(result, ServiceError):
            raise type(result)(
                f"Image {index}: {result.detail}",
                errors=[{"index": index, "code": result.code, "detail": result.detail}],
            ) from result
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if isinstance(result, PreparedCrop)]


async def embedded(runtime: Runtime, crops: Sequence[PreparedCrop]) -> NDArray[np.float32]:
    """The crops' embeddings, ahead of all enrolments; shape (crops, dimension).

    Raises:
        UnavailableError: The model gave none for a crop.
    """
    results = await runtime.queue.embed([crop.pixels for crop in crops], Lane.SEARCH)
    vectors = [result for result in results if isinstance(result, np.ndarray)]
    if len(vectors) < len(crops):
        raise UnavailableError(
            "The model gave no embedding for the query; /readyz says more.", retry_after_s=_RETRY_AFTER_S
        )
    return np.stack(vectors)
