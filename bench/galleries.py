"""A gallery of made-up crops that is as hard to search as a real one, and the index and bare FAISS filled with it.

Vehicles are points drawn from a normal distribution whose variances fall as 1/i along 512 axes turned at random, which
is how the variances of the starter weights' embeddings of real crops fall (half of the total in the first 16 axes of
512). A crop is its vehicle, moved by what is common to its camera and by noise of its own, at unit length: crops of one
vehicle have a cosine of about 0.85, as the nearest neighbours of real crops do. Each vehicle is seen ten times, by
some of 12 cameras out of 50, in tracks of five crops, at random times of eight days. Queries are further crops of
vehicles in the gallery.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import faiss
import numpy as np
from numpy.typing import NDArray

from index.contract import Filter, Sighting
from index.options import IndexOptions
from index.segmented import SegmentedIndex

COLLECTION: Final = "bench"
MODEL: Final = "bench"
CAMERAS: Final = 50
SOME_CAMERAS: Final = 5
"""Cameras whose crops are a tenth of all."""
CAMERAS_OF_A_VEHICLE: Final = 12
DAYS: Final = 8
CROPS_PER_VEHICLE: Final = 10
CROPS_PER_TRACK: Final = 5
BATCH: Final = 1024

_FIRST_DAY: Final = datetime(2026, 3, 2, tzinfo=UTC)
_CAMERA_SHARE: Final = 0.25
_NOISE_SHARE: Final = 0.40
_ROWS_AT_ONCE: Final = 50_000
_COLOURS: Final = ("white", "black", "grey", "silver", "blue", "red", "brown", "green", "yellow", "orange")
_KINDS: Final = ("car", "van", "truck", "bus", "suv", "pickup")


@dataclass(frozen=True)
class Gallery:
    """Crops in order of capture.

    Attributes:
        vectors: Unit vectors, shape (crops, dimension), float32.
        vehicles: Number of each crop's vehicle.
        cameras: Number of each crop's camera.
        queries: Unit vectors of further crops, shape (queries, dimension).
    """

    vectors: NDArray[np.float32]
    vehicles: NDArray[np.int64]
    cameras: NDArray[np.int64]
    queries: NDArray[np.float32]

    @classmethod
    def made_up(cls, crops: int, dimension: int, queries: int = 60, seed: int = 0) -> "Gallery":
        """A gallery; the same arguments make the same one."""
        random = np.random.default_rng(seed)
        vehicles = random.integers(max(1, crops // CROPS_PER_VEHICLE), size=crops + queries)
        cameras = (7 * vehicles + random.integers(CAMERAS_OF_A_VEHICLE, size=len(vehicles))) % CAMERAS
        axes = np.linalg.qr(random.standard_normal((dimension, dimension)))[0].astype(np.float32)
        turned = axes * np.sqrt(1 / np.arange(1, dimension + 1, dtype=np.float32))[:, None]
        centres = random.standard_normal((int(vehicles.max()) + 1, dimension), dtype=np.float32)
        shifts = _CAMERA_SHARE * random.standard_normal((CAMERAS, dimension), dtype=np.float32)
        vectors = np.empty((crops + queries, dimension), dtype=np.float32)
        for start in range(0, len(vectors), _ROWS_AT_ONCE):
            block = slice(start, start + _ROWS_AT_ONCE)
            points = centres[vehicles[block]] + shifts[cameras[block]]
            points += np.float32(_NOISE_SHARE) * random.standard_normal(points.shape, dtype=np.float32)
            points = points @ turned
            vectors[block] = points / np.linalg.norm(points, axis=1, keepdims=True)
        return cls(vectors[:crops], vehicles[:crops], cameras[:crops], vectors[crops:].copy())

    def __len__(self) -> int:
        return len(self.vectors)

    def on_cameras(self, cameras: frozenset[str]) -> NDArray[np.bool_]:
        """Which crops these cameras saw, shape (crops,)."""
        return np.array([camera_name(number) in cameras for number in range(CAMERAS)])[self.cameras]

    def captured_at(self, number: int) -> datetime:
        """When a crop was captured."""
        return _FIRST_DAY + timedelta(days=DAYS) * (number / len(self))

    def sighting(self, number: int) -> Sighting:
        """A crop as an index takes it. Its id is its number plus one."""
        vehicle, camera = int(self.vehicles[number]), int(self.cameras[number])
        return Sighting(
            id=crop_id(number),
            collection=COLLECTION,
            embedding=self.vectors[number],
            camera_id=camera_name(camera),
            captured_at=self.captured_at(number),
            track=track(number),
            vehicle_id=f"vehicle-{vehicle}",
            attributes=attributes(vehicle),
            fingerprint=number * 0x9E3779B97F4A7C15 % 2**64,
        )

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[list[Sighting]]:
        """Crops from one number to another, some at a time."""
        last = len(self) if stop is None else stop
        for first in range(start, last, BATCH):
            yield [self.sighting(number) for number in range(first, min(first + BATCH, last))]


def crop_id(number: int) -> UUID:
    """Id of a crop: ids grow with time, as those of the service do."""
    return UUID(int=number + 1)


def crop_number(id_: UUID) -> int:
    """The crop of an id."""
    return id_.int - 1


def camera_name(number: int) -> str:
    """Name of a camera."""
    return f"camera-{number:02}"


def track(number: int) -> tuple[str, str]:
    """Session and track of a crop."""
    return "2026-03", f"track-{number // CROPS_PER_TRACK}"


def attributes(vehicle: int) -> dict[str, str]:
    """What is known of a vehicle."""
    return {"colour": _COLOURS[vehicle % len(_COLOURS)], "type": _KINDS[vehicle % len(_KINDS)]}


def some_cameras() -> frozenset[str]:
    """Cameras whose crops are a tenth of all."""
    return frozenset(camera_name(number * (CAMERAS // SOME_CAMERAS)) for number in range(SOME_CAMERAS))


EVERYTHING: Final = Filter(COLLECTION)
A_TENTH: Final = Filter(COLLECTION, camera_ids=some_cameras())


def write_index(gallery: Gallery, folder: Path, codec: str) -> None:
    """Fill an index as a service would, let it finish its work on files, and leave a snapshot."""
    options = IndexOptions(codec=codec)
    index = SegmentedIndex(gallery.vectors.shape[1], folder, options, model_id=MODEL, installation=MODEL)
    try:
        for number, batch in enumerate(gallery.batches(), 1):
            index.apply(batch, (), number)
        finish(index)
    finally:
        index.close()


def finish(index: SegmentedIndex) -> None:
    """Let an index seal and compact all there is, and record a snapshot."""
    index.snapshot()
    while index.maintain():
        pass
    index.snapshot()


def open_index(folder: Path, dimension: int, options: IndexOptions) -> SegmentedIndex:
    """The index that `write_index` left, without a thread that works on files.

    Raises:
        RuntimeError: There is none.
    """
    index = SegmentedIndex.open(dimension, folder, MODEL, MODEL, options, background=False)
    if not index.watermark:
        index.close()
        raise RuntimeError(f"{folder} holds no snapshot that can be used")
    return index


def bare_index(codec: str, vectors: NDArray[np.float32]) -> Any:  # noqa: ANN401 - FAISS has no types
    """The index of FAISS that a caller would choose for the same bytes, filled."""
    dimension = vectors.shape[1]
    kinds = {"fp16": faiss.ScalarQuantizer.QT_fp16, "sq8": faiss.ScalarQuantizer.QT_8bit}
    index = (
        faiss.IndexScalarQuantizer(dimension, kinds[codec], faiss.METRIC_INNER_PRODUCT)
        if codec in kinds
        else faiss.IndexFlatIP(dimension)
    )
    index.train(vectors)
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        index.add(vectors[start : start + _ROWS_AT_ONCE])
    return index
