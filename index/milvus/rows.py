"""Crops as rows of a Milvus collection, and back."""

import json
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from index.contract import Sighting
from index.milvus.expressions import NO_TIME
from index.milvus.words import terms, word
from index.times import microseconds, time_of

Row = dict[str, Any]
"""One row as pymilvus takes and gives it: values by field."""

PIECE: Final = 60_000
"""Bytes of one piece of a text; Milvus takes 65,535."""

MAX_PIECES: Final = 10
MAX_TERMS: Final = 256


def row_of(crop: Sighting, embedding: NDArray[np.float32], batch: int) -> Row:
    """The row of a crop that comes with a batch.

    Raises:
        ValueError: It has more attributes, or longer ones, than a row can hold.
    """
    words = terms(crop.attributes)
    if len(words) > MAX_TERMS:
        raise ValueError(f"crop {crop.id} has {len(words)} attributes, an index on Milvus takes {MAX_TERMS} at most")
    return {
        "version": version(crop.id.hex, batch),
        "crop": crop.id.hex,
        "camera": word(crop.camera_id),
        "track": "" if crop.track is None else word(crop.camera_id, *crop.track),
        "vehicle": "" if crop.vehicle_id is None else word(crop.vehicle_id),
        "time": NO_TIME if crop.captured_at is None else microseconds(crop.captured_at),
        "terms": words,
        "body": _body(crop),
        "born": batch,
        "embedding": embedding,
    }


def version(name: str, batch: int) -> str:
    """The primary key of what a batch left of something, so that writing it once more changes nothing."""
    return f"{name}-{batch:016x}"


def crop_of(row: Mapping[str, Any]) -> Sighting:
    """The crop that a row holds, with the collection that it was written for, wherever it was found."""
    collection, camera, track, vehicle, attributes, fingerprint = json.loads("".join(row["body"]))
    return Sighting(
        id=UUID(hex=row["crop"]),
        collection=collection,
        embedding=np.array(row["embedding"], dtype=np.float32),
        camera_id=camera,
        captured_at=None if row["time"] == NO_TIME else time_of(row["time"]),
        track=None if track is None else (track[0], track[1]),
        vehicle_id=vehicle,
        attributes=attributes,
        fingerprint=fingerprint,
    )


def _body(crop: Sighting) -> list[str]:
    # ASCII, so that it can be cut anywhere and a lone surrogate survives; 1, 1.0 and true stay what they were
    text = json.dumps(
        [crop.collection, crop.camera_id, crop.track, crop.vehicle_id, dict(crop.attributes), crop.fingerprint]
    )
    if len(text) > PIECE * MAX_PIECES:
        raise ValueError(
            f"crop {crop.id} has names and attributes of {len(text)} bytes, an index on Milvus takes "
            f"{PIECE * MAX_PIECES} at most"
        )
    return [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
