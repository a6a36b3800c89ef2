"""Snapshots: manifests that say which segments, less which rows, were the index at a watermark.

A manifest is written last, when all it names is on the disk. One file: a line of JSON, and a line with the SHA-256 of
the first. Manifests are numbered in the order they were written; the newest that is whole and of this model,
installation and dimension, and whose every segment is what was written, is the one to start from.
"""

import base64
import hashlib
import json
import logging
import re
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from index.codecs.contract import Codec
from index.segments.description import read_description
from index.segments.files import SnapshotError, StorageError, check_hashes, write_atomically
from index.segments.segment import Segment, open_segment

logger = logging.getLogger(__name__)

SEGMENTS: Final = "segments"
SNAPSHOTS: Final = "snapshots"
_FORMAT: Final = 1
_NAME: Final = re.compile(r"[0-9]{12}-[0-9a-f]{16}\.json")


@dataclass(frozen=True, slots=True)
class Identity:
    """What an index must have in common with a snapshot to start from it.

    Attributes:
        model_id: The model that made the embeddings.
        installation: Id of the database whose change log the watermark counts.
        dimension: Length of the embeddings.
    """

    model_id: str
    installation: str
    dimension: int


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """One segment of a snapshot.

    Attributes:
        id: The segment's id.
        live: Which of its rows hold a crop, shape (rows,); None for all.
        dead_since: When the oldest of the dead rows died, aware; None where none is dead or nobody knows.
    """

    id: str
    live: NDArray[np.bool_] | None = None
    dead_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class CollectionEntry:
    """One collection of a snapshot.

    Attributes:
        codec: Codec that was chosen for its next segments; None where they are to have whatever is the default.
        segments: Its segments.
        crops: Live rows of all segments together.
        fingerprint: Sum of the live crops' fingerprints, modulo 2^64.
    """

    codec: str | None
    segments: tuple[SegmentEntry, ...]
    crops: int
    fingerprint: int


@dataclass(frozen=True, slots=True)
class IndexSnapshot:
    """An index as it was at a watermark.

    Attributes:
        identity: Model, installation and dimension.
        watermark: Sequence number of the last change in it.
        made_at: When it was made, aware.
        collections: The collections, by name.
    """

    identity: Identity
    watermark: int
    made_at: datetime
    collections: Mapping[str, CollectionEntry]

    def segment_ids(self) -> set[str]:
        """Ids of all segments."""
        return {segment.id for collection in self.collections.values() for segment in collection.segments}


def write_snapshot(folder: Path, snapshot: IndexSnapshot) -> Path:
    """Write a manifest, newest of all from now on. All its segments must have been written.

    Args:
        folder: The index's folder, which holds `segments` and `snapshots`.
        snapshot: What to write.

    Raises:
        StorageError: The file could not be written. Nothing is left behind.
    """
    body = json.dumps(_to_json(snapshot), separators=(",", ":")).encode("ascii")
    number = max((int(path.name.partition("-")[0]) for path in manifests(folder)), default=0) + 1
    path = folder / SNAPSHOTS / f"{number:012d}-{hashlib.sha256(body).hexdigest()[:16]}.json"
    try:
        write_atomically(path, _with_digest(body))
    except OSError as error:
        raise StorageError(f"a snapshot could not be written to {path.parent}: {error.strerror}") from error
    return path


def read_snapshot(path: Path) -> IndexSnapshot:
    """Read a manifest, without looking at its segments.

    Raises:
        SnapshotError: It cannot be read, is cut off or changed, or has another format.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SnapshotError(f"it cannot be read: {error.strerror}") from error
    body = content.partition(b"\n")[0]
    if content != _with_digest(body):
        raise SnapshotError("it is cut off or changed: its SHA-256 is not the one at its end")
    read = json.loads(body)
    if read["format"] != _FORMAT:
        raise SnapshotError(f"it has format {read['format']}, this version reads format {_FORMAT}")
    return IndexSnapshot(
        identity=Identity(**read["identity"]),
        watermark=read["watermark"],
        made_at=datetime.fromisoformat(read["made_at"]),
        collections={name: _collection_from_json(entry) for name, entry in read["collections"].items()},
    )


def open_newest(
    folder: Path, identity: Identity, codecs: Mapping[str, Codec]
) -> tuple[IndexSnapshot, dict[str, Segment]] | None:
    """Open the newest snapshot that can be used, with its segments by id. The others are passed over with a warning.

    Args:
        folder: The index's folder.
        identity: Model, installation and dimension of the index.
        codecs: Codecs by name.

    Returns:
        None where there is none to be used: the index is to be built from the truth.
    """
    for path in manifests(folder):
        try:
            snapshot = read_snapshot(path)
            _require_identity(snapshot.identity, identity)
            return snapshot, _open_segments(folder / SEGMENTS, snapshot, codecs)
        except StorageError as error:
            logger.warning("snapshot %s is passed over: %s", path.name, error)
    return None


def manifests(folder: Path) -> list[Path]:
    """Files of all snapshots of an index's folder, newest first."""
    return sorted((path for path in (folder / SNAPSHOTS).glob("*.json") if _NAME.fullmatch(path.name)), reverse=True)


def _require_identity(found: Identity, wanted: Identity) -> None:
    for name, what in (("model_id", "model"), ("installation", "database"), ("dimension", "dimension")):
        there, here = getattr(found, name), getattr(wanted, name)
        if there != here:
            raise SnapshotError(f"it belongs to {what} {there}, this index to {here}")


def _open_segments(folder: Path, snapshot: IndexSnapshot, codecs: Mapping[str, Codec]) -> dict[str, Segment]:
    """Open all segments of a snapshot, all their files hashed side by side, and compare them with what it says."""
    files = [
        (folder / id_ / name, seal)
        for id_ in snapshot.segment_ids()
        for name, seal in read_description(folder / id_).files.items()
    ]
    for fault in check_hashes(files).values():
        raise fault
    opened: dict[str, Segment] = {}
    try:
        for id_ in sorted(snapshot.segment_ids()):
            opened[id_] = open_segment(folder / id_, codecs, verify=False)
        for name, collection in snapshot.collections.items():
            _require_agreement(name, collection, opened, snapshot.identity.dimension)
    except BaseException:
        for segment in opened.values():
            segment.close()
        raise
    return opened


def _require_agreement(name: str, collection: CollectionEntry, segments: Mapping[str, Segment], dimension: int) -> None:
    crops = fingerprint = 0
    for entry in collection.segments:
        segment = segments[entry.id]
        about = segment.description
        if about.collection != name or about.dimension != dimension:
            raise SnapshotError(f"its segment {entry.id} is of another collection or dimension")
        if entry.live is None:
            crops += len(segment)
            fingerprint += about.fingerprint
        elif len(entry.live) != len(segment):
            raise SnapshotError(f"its segment {entry.id} has {len(segment)} rows, not {len(entry.live)}")
        else:
            crops += int(np.count_nonzero(entry.live))
            fingerprint += int(np.sum(segment.columns.fingerprints, where=entry.live, dtype=np.uint64))
    if (crops, fingerprint % 2**64) != (collection.crops, collection.fingerprint):
        raise SnapshotError(
            f"its segments of collection {name!r} hold {crops} crops with fingerprint {fingerprint % 2**64}, "
            f"not {collection.crops} with {collection.fingerprint}"
        )


def _with_digest(body: bytes) -> bytes:
    return body + b"\n" + hashlib.sha256(body).hexdigest().encode("ascii") + b"\n"


def _to_json(snapshot: IndexSnapshot) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "identity": asdict(snapshot.identity),
        "watermark": snapshot.watermark,
        "made_at": snapshot.made_at.isoformat(),
        "collections": {
            name: {
                "codec": collection.codec,
                "crops": collection.crops,
                "fingerprint": collection.fingerprint,
                "segments": [_segment_to_json(segment) for segment in collection.segments],
            }
            for name, collection in snapshot.collections.items()
        },
    }


def _segment_to_json(segment: SegmentEntry) -> dict[str, Any]:
    live, since = segment.live, segment.dead_since
    return {
        "id": segment.id,
        "rows": None if live is None else len(live),
        # few rows are dead as a rule, so their bits shrink to next to nothing
        "dead": None if live is None else base64.b64encode(zlib.compress(np.packbits(~live).tobytes())).decode("ascii"),
        "dead_since": None if since is None else since.isoformat(),
    }


def _collection_from_json(read: Mapping[str, Any]) -> CollectionEntry:
    return CollectionEntry(
        codec=read["codec"],
        segments=tuple(_segment_from_json(segment) for segment in read["segments"]),
        crops=read["crops"],
        fingerprint=read["fingerprint"],
    )


def _segment_from_json(read: Mapping[str, Any]) -> SegmentEntry:
    live = None
    if read["dead"] is not None:
        bits = np.frombuffer(zlib.decompress(base64.b64decode(read["dead"])), dtype=np.uint8)
        live = ~np.unpackbits(bits, count=read["rows"]).astype(np.bool_)
    since = read["dead_since"]
    return SegmentEntry(read["id"], live, None if since is None else datetime.fromisoformat(since))
