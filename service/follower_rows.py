"""From rows of the truth to what an index takes, a batch at a time and without the database."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from index.contract import Scalar, SightingColumns, VectorError
from index.halves import STORED, unit_of
from index.times import UNKNOWN_TIME
from service.database.engine import load_json
from service.database.vectors import are_unit

_SINCE_2000: Final = 946_684_800_000_000
"""Microseconds from 1970 to 2000, from which PostgreSQL counts."""
_BEFORE_ALL: Final = -(2**63)
"""How PostgreSQL writes -infinity, which stands for a time of capture that is not known."""
_FIXED: Final = np.dtype([("id", ">u8", (2,)), ("time", ">i8"), ("fingerprint", ">u8")])


@dataclass(frozen=True, slots=True)
class PackedCrops:
    """Crops as `FollowerRepository` reads them: many in one row, so that none of them is a message of its own.

    Attributes:
        fixed: For each crop its id, its time of capture and its fingerprint, 8 bytes big-endian each, the id 16.
        vectors: Their vectors as stored, one behind the other.
        sizes: JSON list of what each vector takes, in bytes.
        collections: JSON list of the names of their collections; so with all that follow.
        cameras: Cameras.
        sessions: Sessions, or null.
        tracks: Tracks, or null.
        vehicles: Vehicle ids, or null.
        attributes: Attribute sets, each as a text that is JSON.
    """

    fixed: bytes
    vectors: bytes
    sizes: str
    collections: str
    cameras: str
    sessions: str
    tracks: str
    vehicles: str
    attributes: str

    def __len__(self) -> int:
        return len(self.fixed) // _FIXED.itemsize

    def ids(self) -> list[UUID]:
        """The ids of the crops."""
        return [UUID(bytes=self.fixed[at : at + 16]) for at in range(0, len(self.fixed), _FIXED.itemsize)]


def sightings(crops: PackedCrops, dimension: int) -> list[SightingColumns]:
    """Crops as an index takes them, those of each collection together.

    Args:
        crops: The crops.
        dimension: Length of the index's embeddings.

    Raises:
        VectorError: A stored vector has another dimension or is broken; the message names the crop.
    """
    fixed = np.frombuffer(crops.fixed, dtype=_FIXED)
    if not len(fixed):
        return []
    collections = load_json(crops.collections)
    attributes = load_json(crops.attributes)
    # crops of one kind of vehicle share their attributes, and reading them is what takes longest
    read: dict[str, Mapping[str, Scalar]] = {text: load_json(text) for text in set(attributes)}
    times = fixed["time"].astype(np.int64)
    tracks = zip(load_json(crops.sessions), load_json(crops.tracks), strict=True)
    together = SightingColumns(
        collection=collections[0],
        id_high=fixed["id"][:, 0].astype(np.uint64),
        id_low=fixed["id"][:, 1].astype(np.uint64),
        embeddings=_embeddings(crops, dimension),
        times=np.where(times == _BEFORE_ALL, UNKNOWN_TIME, times + _SINCE_2000),
        fingerprints=fixed["fingerprint"].astype(np.uint64),
        camera_ids=load_json(crops.cameras),
        tracks=[None if track is None else (session, track) for session, track in tracks],
        vehicle_ids=load_json(crops.vehicles),
        attributes=[read[text] for text in attributes],
        in_halves=True,
    )
    return _by_collection(together, collections)


def _by_collection(together: SightingColumns, collections: Sequence[str]) -> list[SightingColumns]:
    if len(set(collections)) == 1:
        return [together]
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(collections):
        places[name].append(place)
    return [together.at(some, collection=name) for name, some in places.items()]


def _embeddings(crops: PackedCrops, dimension: int) -> NDArray[np.float32]:
    size = STORED.itemsize * dimension
    sizes = load_json(crops.sizes)
    if set(sizes) != {size}:
        place = next(place for place, found in enumerate(sizes) if found != size)
        raise VectorError(f"Crop {crops.ids()[place]}: the stored vector has {sizes[place]} bytes, not {size}.")
    embeddings, lengths = unit_of(np.frombuffer(crops.vectors, dtype=STORED).reshape(-1, dimension))
    fit = are_unit(lengths)
    if not fit.all():
        place = int(fit.argmin())
        raise VectorError(f"Crop {crops.ids()[place]}: the stored vector has length {lengths[place]}, not 1.")
    return embeddings
