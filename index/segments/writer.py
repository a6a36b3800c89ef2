"""Writes a segment: all of it or nothing, flushed before it gets its name, read back before it is believed."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from index.camera_sums import CameraSums
from index.codecs.contract import Codec, CodecError
from index.segments.description import ARRAYS, DESCRIPTION, FORMAT, VECTORS
from index.segments.files import StorageError, atomic_folder, publish, sealed
from index.segments.packed import write_arrays
from index.segments.rows import Columns, SegmentRows, SegmentWords, in_id_order
from index.segments.terms import FrozenAttributes
from index.times import UNKNOWN_TIME

_ROWS_AT_ONCE: Final = 1024
CROPS_WORTH_SUMS: Final = 64
"""Crops of a camera from which on their sums are stored. Those of fewer take more room than the crops."""


def write_segment(folder: Path, rows: SegmentRows, codec: Codec) -> Path:
    """Write a segment into a folder of segments.

    Args:
        folder: Where segments lie; made where it is not there.
        rows: At least one row, in any order.
        codec: How the vectors are kept.

    Returns:
        The segment's own folder, whose name is the segment's id: the SHA-256 of its description, which holds the
        SHA-256 of everything else.

    Raises:
        ValueError: There are no rows, columns differ in length, or an id comes twice.
        StorageError: The files could not be written (full disk, no permission), or did not read back as written.
            Nothing is left behind.
    """
    rows = _in_order(rows)
    try:
        with atomic_folder(folder) as unfinished:
            vectors = unfinished / VECTORS
            vectors.mkdir()
            codec.write(rows.embeddings, vectors)
            _read_back(rows.embeddings, codec, vectors)
            places = write_arrays(unfinished / ARRAYS, _arrays(rows))
            description = json.dumps(
                {
                    "format": FORMAT,
                    "nonce": uuid4().hex,  # equal rows written twice are two segments, each with a life of its own
                    "collection": rows.collection,
                    "span_us": rows.span_us,
                    "period": rows.period,
                    "rows": len(rows.columns),
                    "dimension": rows.embeddings.shape[1],
                    "codec": codec.name,
                    "fingerprint": int(np.sum(rows.columns.fingerprints, dtype=np.uint64)),
                    "times": _range_of_times(rows.columns.times),
                    "arrays": {name: asdict(place) for name, place in places.items()},
                    "files": {name: asdict(seal) for name, seal in sealed(unfinished).items()},
                },
                indent=1,
            ).encode("ascii")
            (unfinished / DESCRIPTION).write_bytes(description)
            return publish(unfinished, hashlib.sha256(description).hexdigest())
    except (OSError, CodecError) as error:
        raise StorageError(f"a segment could not be written to {folder}: {error}") from error


def _in_order(rows: SegmentRows) -> SegmentRows:
    columns = rows.columns
    lengths = {len(rows.embeddings), *(len(getattr(columns, one.name)) for one in fields(columns))}
    if len(lengths) > 1 or lengths == {0}:
        raise ValueError(f"columns of lengths {sorted(lengths)} make no segment: one length of at least 1 is needed")
    order = in_id_order(columns)
    high, low = columns.id_high[order], columns.id_low[order]
    if np.any((high[1:] == high[:-1]) & (low[1:] == low[:-1])):
        raise ValueError("an id comes twice; a segment holds one row for each crop")
    if np.array_equal(order, np.arange(len(order))):
        return rows  # sorting again would copy all embeddings
    return SegmentRows(
        rows.collection, rows.span_us, rows.period, rows.embeddings[order], columns.at(order), rows.words
    )


def _read_back(embeddings: NDArray[np.float32], codec: Codec, folder: Path) -> None:
    # a library that does not look at what fclose answers takes a file cut off by a full disk for written
    vectors = codec.open(folder)
    try:
        for start in range(0, len(embeddings), _ROWS_AT_ONCE):
            block = embeddings[start : start + _ROWS_AT_ONCE]
            if not np.array_equal(vectors.held(np.arange(start, start + len(block))), block):
                raise StorageError(f"vectors written to {folder} read back as others; is the disk full or failing?")
    finally:
        vectors.close()


def _arrays(rows: SegmentRows) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {one.name: getattr(rows.columns, one.name) for one in fields(Columns)}
    attributes = FrozenAttributes.indexed(rows.words.attributes)
    for name in (one.name for one in fields(SegmentWords)):
        words = getattr(rows.words, name)
        arrays |= {f"{name}.offsets": words.offsets, f"{name}.text": words.text}
    return arrays | {
        "terms.offsets": attributes.terms.offsets,
        "terms.text": attributes.terms.text,
        "terms.starts": attributes.starts,
        "terms.holders": attributes.holders,
        **_sums(rows),
    }


def _sums(rows: SegmentRows) -> Mapping[str, NDArray[Any]]:
    counts = np.bincount(rows.columns.cameras, minlength=len(rows.words.cameras))
    summed = np.flatnonzero(counts >= CROPS_WORTH_SUMS)
    totals = np.zeros((len(summed), rows.embeddings.shape[1]), dtype=np.int64)
    squares = np.zeros_like(totals)
    for place, camera in enumerate(summed.tolist()):
        sums = CameraSums.of(rows.embeddings, np.flatnonzero(rows.columns.cameras == camera))
        totals[place], squares[place] = sums.total, sums.squares
    return {
        "sums.counts": counts.astype(np.int64),
        "sums.cameras": summed.astype(np.int32),
        "sums.totals": totals,
        "sums.squares": squares,
    }


def _range_of_times(times: NDArray[np.int64]) -> tuple[int, int] | None:
    known = times[times != UNKNOWN_TIME]
    return (int(known.min()), int(known.max())) if len(known) else None
