"""From rows of the truth to what an index takes, a batch at a time and without the database."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from index.contract import Sighting, VectorError
from service.database.engine import load_json
from service.database.vectors import STORED, are_unit, decode_many

NO_TIME = 1 - 2**63
"""Stands for a time of capture that is not known, among microseconds since 1970."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VECTOR_SIZE = slice(46, 50)


def crop_id(row: bytes) -> UUID:
    """The id of a crop read by `FollowerRepository`."""
    return UUID(bytes=row[6:22])


def sightings(rows: Sequence[bytes], dimension: int) -> list[Sighting]:
    """Crops as an index takes them.

    Args:
        rows: The crops as `FollowerRepository` reads them: columns of a fixed size, the vector, the rest as JSON.
        dimension: Length of the index's embeddings.

    Raises:
        VectorError: A stored vector has another dimension or is broken; the message names the crop.
    """
    if not rows:
        return []
    layout = _layout(dimension)
    for row in rows:
        found, wanted = int.from_bytes(row[_VECTOR_SIZE]), layout["vector"].itemsize
        if found != wanted:
            raise VectorError(f"Crop {crop_id(row)}: the stored vector has {found} bytes, not {wanted}.")
    fixed = np.frombuffer(b"".join([row[: layout.itemsize] for row in rows]), dtype=layout)
    embeddings = _embeddings(fixed)
    # crops of one track mostly share it, and reading JSON is what takes longest
    rest = {text: load_json(text) for text in {row[layout.itemsize :] for row in rows}}
    return [
        Sighting(
            id=UUID(bytes=id_),
            collection=collection,
            embedding=embedding,
            camera_id=camera_id,
            captured_at=None if time == NO_TIME else _EPOCH + timedelta(microseconds=time),
            track=None if track_id is None else (session_id, track_id),
            vehicle_id=vehicle_id,
            attributes=attributes,
            fingerprint=fingerprint,
        )
        for id_, time, fingerprint, embedding, (
            collection,
            camera_id,
            session_id,
            track_id,
            vehicle_id,
            attributes,
        ) in zip(
            fixed["id"].tolist(),
            fixed["time"].tolist(),
            fixed["fingerprint"].tolist(),
            embeddings,
            [rest[row[layout.itemsize :]] for row in rows],
            strict=True,
        )
    ]


def _layout(dimension: int) -> np.dtype[Any]:
    """The part of a row that has the same size in every row, each column after its length."""
    columns = {"id": "V16", "time": ">i8", "fingerprint": ">u8", "vector": (STORED, (dimension,))}
    fields: list[Any] = [("columns", ">i2")]
    for name, kind in columns.items():
        fields += [(f"{name}_size", ">i4"), (name, *(kind if isinstance(kind, tuple) else (kind,)))]
    return np.dtype([*fields, ("json_size", ">i4")])


def _embeddings(fixed: NDArray[Any]) -> NDArray[np.float32]:
    embeddings, lengths = decode_many(fixed["vector"])
    fit = are_unit(lengths)
    if not fit.all():
        place = int(fit.argmin())
        identity = UUID(bytes=fixed["id"][place].tobytes())
        raise VectorError(f"Crop {identity}: the stored vector has length {lengths[place]}, not 1.")
    return embeddings
