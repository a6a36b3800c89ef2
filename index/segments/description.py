"""What stands in a segment's description, segment.json, and how it is read without being believed."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from index.segments.files import FileSeal, SegmentError
from index.segments.packed import ArrayPlace

DESCRIPTION: Final = "segment.json"
ARRAYS: Final = "columns.bin"
VECTORS: Final = "vectors"
FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Description:
    """A segment as it describes itself.

    Attributes:
        id: The segment's id.
        collection: Name of the collection.
        span_us: Length of the stretch of capture time that the segment belongs to, in microseconds.
        period: Which of these stretches since 1970; None for crops without captured_at.
        rows: Rows.
        dimension: Length of the embeddings.
        codec: Name of the codec.
        fingerprint: Sum of the crops' fingerprints, modulo 2^64.
        times: Earliest and latest time of capture, microseconds since 1970; None where no crop has one.
        arrays: Where each array lies in the file of arrays.
        files: Every other file of the segment, by its path relative to the segment's folder.
    """

    id: str
    collection: str
    span_us: int
    period: int | None
    rows: int
    dimension: int
    codec: str
    fingerprint: int
    times: tuple[int, int] | None
    arrays: Mapping[str, ArrayPlace]
    files: Mapping[str, FileSeal]


def read_description(folder: Path) -> Description:
    """Read a segment's description and check it against the name of the segment's folder.

    Raises:
        SegmentError: It is missing, not what was written, or of another format.
    """
    path = folder / DESCRIPTION
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SegmentError(f"{path} cannot be read: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != folder.name:
        raise SegmentError(f"{path} is not what was written: its SHA-256 is not the name of its folder")
    read = json.loads(content)
    if read["format"] != FORMAT:
        raise SegmentError(f"{path} has format {read['format']}, this version reads format {FORMAT}")
    return Description(
        id=folder.name,
        collection=read["collection"],
        span_us=read["span_us"],
        period=read["period"],
        rows=read["rows"],
        dimension=read["dimension"],
        codec=read["codec"],
        fingerprint=read["fingerprint"],
        times=None if read["times"] is None else (read["times"][0], read["times"][1]),
        arrays={name: ArrayPlace(**place) for name, place in read["arrays"].items()},
        files={name: FileSeal(**seal) for name, seal in read["files"].items()},
    )
