"""Crops as segments hold them, and back, the slow and obvious way."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from index.attributes import AttributeSets
from index.columns import Vocabulary
from index.contract import Sighting
from index.segments.rows import Columns, SegmentRows, frozen_columns
from index.segments.segment import Segment, open_segment
from index.segments.snapshots import CollectionEntry, Identity, IndexSnapshot, SegmentEntry
from index.segments.writer import write_segment
from index.times import UNKNOWN_TIME
from support.raw_codec import RawCodec

CODECS = {"raw": RawCodec()}
DIMENSION = 4
IDENTITY = Identity(model_id="starter-1", installation="0d7c", dimension=DIMENSION)
SPAN_US = 86_400_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOW = 2**64 - 1


def rows_of_crops(crops: Sequence[Sighting], collection: str = "town") -> SegmentRows:
    """Crops as rows on their way into a segment."""
    cameras: Vocabulary[str] = Vocabulary()
    tracks: Vocabulary[tuple[str | None, str] | None] = Vocabulary()
    vehicles: Vocabulary[str | None] = Vocabulary()
    attributes = AttributeSets()
    columns = Columns(
        id_high=np.array([crop.id.int >> 64 for crop in crops], dtype=np.uint64),
        id_low=np.array([crop.id.int & _LOW for crop in crops], dtype=np.uint64),
        times=np.array([_microseconds(crop.captured_at) for crop in crops], dtype=np.int64),
        fingerprints=np.array([crop.fingerprint for crop in crops], dtype=np.uint64),
        cameras=np.array([cameras.encode(crop.camera_id) for crop in crops], dtype=np.int32),
        tracks=np.array([tracks.encode(crop.track) for crop in crops], dtype=np.int32),
        vehicles=np.array([vehicles.encode(crop.vehicle_id) for crop in crops], dtype=np.int32),
        attributes=np.array([attributes.encode(dict(crop.attributes)) for crop in crops], dtype=np.int32),
    )
    frozen, words = frozen_columns(columns, cameras, tracks, vehicles, attributes)
    embeddings = np.array([crop.embedding for crop in crops], dtype=np.float32).reshape(len(crops), DIMENSION)
    return SegmentRows(collection, SPAN_US, 20_000, embeddings, frozen, words)


def crops_of(segment: Segment) -> Iterator[Sighting]:
    """The crops of a segment in the order of its rows."""
    columns, words = segment.columns, segment.words
    for row, embedding in enumerate(segment.vectors.held(np.arange(len(segment)))):
        time = int(columns.times[row])
        yield Sighting(
            id=UUID(int=int(columns.id_high[row]) << 64 | int(columns.id_low[row])),
            collection=segment.description.collection,
            embedding=embedding,
            camera_id=words.cameras[columns.cameras[row]],
            captured_at=None if time == UNKNOWN_TIME else _EPOCH + timedelta(microseconds=time),
            track=words.tracks[columns.tracks[row]],
            vehicle_id=words.vehicles[columns.vehicles[row]],
            attributes=words.attributes[columns.attributes[row]],
            fingerprint=int(columns.fingerprints[row]),
        )


def exactly(crop: Sighting) -> str:
    """A text that differs for crops that differ in anything: 1 from 1.0 from True, -0.0 from 0.0, None from ""."""
    return repr(
        (
            crop.id,
            crop.collection,
            crop.embedding.tobytes(),
            crop.camera_id,
            _microseconds(crop.captured_at),
            crop.track,
            crop.vehicle_id,
            list(crop.attributes.items()),
            crop.fingerprint,
        )
    )


def some_crops(count: int, seed: int = 0, collection: str = "town") -> list[Sighting]:
    """Crops that differ in everything, at random."""
    random = np.random.default_rng(seed)
    return [
        Sighting(
            id=UUID(bytes=random.bytes(16)),
            collection=collection,
            embedding=unit_vectors(1, random)[0],
            camera_id=f"camera {random.integers(5)}",
            captured_at=_EPOCH + timedelta(seconds=int(random.integers(2**31))) if random.random() < 0.9 else None,
            track=("session", f"track {random.integers(9)}") if random.random() < 0.7 else None,
            vehicle_id=f"vehicle {random.integers(9)}" if random.random() < 0.5 else None,
            attributes={"colour": f"colour {random.integers(4)}", "doors": int(random.integers(2, 6))},
            fingerprint=int(random.integers(2**64, dtype=np.uint64)),
        )
        for _ in range(count)
    ]


def unit_vectors(count: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Random unit vectors, shape (count, DIMENSION)."""
    vectors = random.standard_normal((count, DIMENSION)).astype(np.float32)
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def written(folder: Path, crops: Sequence[Sighting]) -> Segment:
    """A segment of crops in a folder of segments, opened."""
    collection = crops[0].collection
    path = write_segment(folder, rows_of_crops(crops, collection), CODECS["raw"])
    return open_segment(path, CODECS, verify=True)


def snapshot_of(
    segments: Sequence[Segment],
    watermark: int = 1,
    identity: Identity = IDENTITY,
    live: NDArray[np.bool_] | None = None,
) -> IndexSnapshot:
    """A snapshot of segments of one collection each; the mask is that of the first."""
    collections = {}
    for number, segment in enumerate(segments):
        mask = live if live is not None and number == 0 else np.ones(len(segment), dtype=np.bool_)
        collections[segment.description.collection] = CollectionEntry(
            codec="raw",
            segments=(SegmentEntry(segment.id, live if number == 0 else None),),
            crops=int(mask.sum()),
            fingerprint=sum(segment.columns.fingerprints[mask].tolist()) % 2**64,
        )
    return IndexSnapshot(identity, watermark, datetime(2026, 11, 24, tzinfo=UTC), collections)


def _microseconds(time: datetime | None) -> int:
    return UNKNOWN_TIME if time is None else (time - _EPOCH) // timedelta(microseconds=1)
