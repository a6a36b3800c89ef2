"""Every form in which a crop may be left in files."""

from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

import faiss
import numpy as np
from numpy.typing import NDArray

from index.codecs import CODECS
from index.segments.segment import open_segment


def traces_of_id(crop_id: UUID) -> set[bytes]:
    """A crop's id as text, as bytes, and as a segment's columns hold it."""
    low = np.uint64(crop_id.int & (2**64 - 1))
    return {str(crop_id).encode(), crop_id.hex.encode(), crop_id.bytes, low.tobytes()}


def traces_of_vector(vector: NDArray[np.float32]) -> set[bytes]:
    """A vector in single and half precision."""
    return {vector.astype("<f4").tobytes(), vector.astype("<f2").tobytes()}


def traces_in_segments(folder: Path, crop_id: UUID) -> set[bytes]:
    """What the segments below a folder hold of a crop: the codes of its vector in each of their files."""
    found = set()
    halves = (np.array([half], dtype=np.uint64) for half in divmod(crop_id.int, 2**64))
    high, low = halves
    for description in folder.rglob("segment.json"):
        segment = open_segment(description.parent, CODECS, verify=False)
        row = int(segment.rows_of(high, low)[0])
        segment.close()
        for path in (description.parent / "vectors").glob("*.faiss") if row >= 0 else ():
            index = faiss.read_index(str(path))
            codes = faiss.vector_to_array(index.codes).reshape(index.ntotal, -1)
            found.add(codes[row].tobytes())
    return found


def files_with(folder: Path, traces: Iterable[bytes]) -> set[Path]:
    """Files below a folder in which any of these bytes are, once one look at the folder went through undisturbed."""
    wanted = list(traces)
    while True:
        try:
            contents = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        except FileNotFoundError:  # an index that is being cleaned moves its files meanwhile
            continue
        return {path.relative_to(folder) for path, content in contents.items() if any(one in content for one in wanted)}
