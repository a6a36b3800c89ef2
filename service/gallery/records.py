"""A crop as it is enrolled, and as it is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from index.contract import Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCrop:
    """A crop to enrol, its embedding included.

    Attributes:
        id: UUIDv7, so that ids grow with time.
        attributes: Flat JSON attributes.
        bbox: Box in the camera's frame (x, y, width, height), pixels; None where unknown.
        image_sha256: SHA-256 of the uploaded bytes, 32 bytes.
        width: Pixels of the picture as shown (EXIF turned).
        height: Pixels of the picture as shown.
        model_id: The model of the embedding.
        embedding: Unit-length vector, shape (dimension,), float32.
        has_image: Whether its picture is in the crop store.
        vehicle_confirmed: Whether a person has confirmed vehicle_id.
    """

    id: UUID
    collection_id: UUID
    camera_id: str
    captured_at: datetime | None = None
    session_id: str | None = None
    track_id: str | None = None
    vehicle_id: str | None = None
    external_id: str | None = None
    attributes: Mapping[str, Scalar]
    bbox: Sequence[float] | None = None
    image_sha256: bytes
    media_type: str
    width: int
    height: int
    model_id: str
    embedding: NDArray[np.float32]
    has_image: bool = True
    vehicle_confirmed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CropRecord:
    """A crop as read: its columns and the name of its collection."""

    id: UUID
    collection_id: UUID
    collection: str
    camera_id: str
    captured_at: datetime | None
    session_id: str | None
    track_id: str | None
    vehicle_id: str | None
    external_id: str | None
    attributes: Mapping[str, Scalar]
    bbox: Sequence[float] | None
    image_sha256: bytes
    media_type: str
    width: int
    height: int
    created_at: datetime
    has_image: bool
    vehicle_confirmed: bool
