"""A search, whichever door it came in by."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.contract import Filter
from service.calibration.repository import Standing
from service.database.tables import Collection
from service.imaging import Quality
from service.problems import invalid_field
from service.search.requests import SearchFields

_SMALLEST_MEAN = 1e-6


@dataclass(frozen=True, slots=True)
class Times:
    """When what was done, in seconds of `time.perf_counter`.

    Attributes:
        started: The request was there.
        decoded: The query images were decoded; where there are none, the same.
        embedded: The query's vector was there.
    """

    started: float
    decoded: float
    embedded: float


@dataclass(frozen=True, slots=True)
class Entry:
    """What was found when a search was let in.

    Attributes:
        collection: The collection that is searched.
        standing: How its scores are calibrated.
        purpose: Why the search is made; None where that was not said and need not be.
    """

    collection: Collection
    standing: Standing
    purpose: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of the gallery.

    Attributes:
        action: Operation id of the door, for the audit log.
        fields: The request as it came.
        vector: The query, of unit length, shape (dimension,), float32.
        camera_id: The camera that saw the query; None where that is not known, or was not one alone.
        where: The conditions, with what the door leaves out itself.
        entry: What was found when it was let in.
        quality: Measured on each query image; empty where none was sent.
        times: When the vector was made.
    """

    action: str
    fields: SearchFields
    vector: NDArray[np.float32]
    camera_id: str | None
    where: Filter
    entry: Entry
    quality: Sequence[Quality] = ()
    times: Times


def mean_vector(vectors: NDArray[np.float32], field: str) -> NDArray[np.float32]:
    """The mean of unit vectors, of unit length again.

    Args:
        vectors: Shape (vectors, dimension).
        field: Field of the request that they come from.

    Raises:
        InvalidValueError: They cancel each other out.
    """
    mean = np.mean(vectors, axis=0, dtype=np.float64)
    length = float(np.linalg.norm(mean))
    if length < _SMALLEST_MEAN:
        raise invalid_field(field, "show nothing in common; send crops of one vehicle")
    unit: NDArray[np.float32] = np.asarray(mean / length, dtype=np.float32)
    return unit
