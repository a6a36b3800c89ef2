"""Running sums per camera, kept beside the crops: statistics and fingerprints without reading a gallery."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from index.camera_sums import CameraSums
from index.contract import Sighting
from index.milvus.connection import Connection
from index.milvus.deaths import Deaths
from index.milvus.expressions import one_of
from index.milvus.rows import Row, version
from index.milvus.schemas import SUM_FIELDS, SUMS, anchored, sum_bytes
from index.milvus.words import word

_SIGN = 2**63


@dataclass(frozen=True, slots=True)
class Entry:
    """What is added up of the crops of one camera.

    Attributes:
        sums: Sums over their embeddings.
        fingerprint: Sum of their fingerprints, modulo 2^64.
    """

    sums: CameraSums
    fingerprint: int

    @classmethod
    def of(cls, crops: Iterable[Sighting]) -> Self:
        """The entry of some crops, at least one."""
        listed = list(crops)
        return cls(
            CameraSums.of(np.array([crop.embedding for crop in listed], dtype=np.float32)),
            sum(crop.fingerprint for crop in listed) % 2**64,
        )

    def __add__(self, other: Self) -> Self:
        return type(self)(self.sums + other.sums, (self.fingerprint + other.fingerprint) % 2**64)

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.sums - other.sums, (self.fingerprint - other.fingerprint) % 2**64)


class Changes:
    """What a batch adds to the sums and takes from them, by collection and camera.

    Args:
        dimension: Length of the embeddings.
    """

    def __init__(self, dimension: int) -> None:
        nothing = np.zeros(dimension, dtype=np.int64)
        self._nothing = Entry(CameraSums(0, nothing, nothing), 0)
        self.entries: dict[tuple[str, str], Entry] = {}

    def add(self, crops: Iterable[Sighting]) -> None:
        """Count crops in."""
        for key, members in _by_camera(crops):
            self.entries[key] = self.entries.get(key, self._nothing) + Entry.of(members)

    def take(self, crops: Iterable[Sighting]) -> None:
        """Count crops out."""
        for key, members in _by_camera(crops):
            self.entries[key] = self.entries.get(key, self._nothing) - Entry.of(members)


class SumsTable:
    """The sums as rows of a collection, one row for each camera of each gallery and batch that changed it.

    Args:
        connection: The server.
        name: The collection.
        deaths: Notes which rows are dead.
        dimension: Length of the embeddings.
    """

    def __init__(self, connection: Connection, name: str, deaths: Deaths, dimension: int) -> None:
        self._connection = connection
        self._name = name
        self._deaths = deaths
        self._bytes = sum_bytes(dimension)

    def cameras(self, collection: str, batch: int) -> dict[str, Entry]:
        """The entry of each camera of a collection as a batch left it."""
        expression = f"{self._living(batch)} and {one_of('gallery', [word(collection)])}"
        entries = {}
        for page in self._connection.pages(self._name, expression, SUM_FIELDS, self._bytes):
            for row in page:
                held, camera = _names(row)
                if held == collection:
                    entries[camera] = _entry(row)
        return entries

    def totals(self, batch: int) -> dict[str, tuple[int, int]]:
        """Crops and the sum of their fingerprints for each collection that holds any."""
        totals: dict[str, tuple[int, int]] = {}
        fields = ("version", "body", "crops", "fingerprint")
        for page in self._connection.pages(self._name, self._living(batch), fields, self._bytes):
            for row in page:
                collection, _ = _names(row)
                crops, fingerprint = totals.get(collection, (0, 0))
                totals[collection] = crops + row["crops"], (fingerprint + row["fingerprint"]) % 2**64
        return totals

    def write(self, changes: Changes, before: int, batch: int) -> None:
        """Write the sums that a batch leaves, given those that the one before it left."""
        rows, replaced = [], []
        held = self._held(changes, before)
        for (collection, camera), change in changes.entries.items():
            old = held.get((collection, camera))
            entry = change if old is None else _entry(old) + change
            if old is not None:
                replaced.append(old["version"])
            if entry.sums.count:
                rows.append(_row(collection, camera, entry, batch))
        self._connection.upsert(self._name, rows, self._bytes)
        self._deaths.note(SUMS, replaced, batch)

    def _living(self, batch: int) -> str:
        return self._deaths.of(SUMS, batch).living(batch)

    def _held(self, changes: Changes, batch: int) -> dict[tuple[str, str], Row]:
        held: dict[tuple[str, str], Row] = {}
        cameras: dict[str, list[str]] = {}
        for collection, camera in changes.entries:
            cameras.setdefault(collection, []).append(word(camera))
        for collection, words in cameras.items():
            gallery = one_of("gallery", [word(collection)])
            expression = f"{self._living(batch)} and {gallery} and {one_of('camera', words)}"
            for page in self._connection.pages(self._name, expression, SUM_FIELDS, self._bytes):
                held |= {_names(row): dict(row) for row in page}
        return held


def _by_camera(crops: Iterable[Sighting]) -> Iterator[tuple[tuple[str, str], list[Sighting]]]:
    members: dict[tuple[str, str], list[Sighting]] = {}
    for crop in crops:
        members.setdefault((crop.collection, crop.camera_id), []).append(crop)
    yield from members.items()


def _row(collection: str, camera: str, entry: Entry, batch: int) -> Row:
    return anchored(
        {
            "version": version(word(collection, camera), batch),
            "gallery": word(collection),
            "camera": word(camera),
            "body": [json.dumps([collection, camera])],
            "crops": entry.sums.count,
            # Milvus has no numbers without sign
            "fingerprint": (entry.fingerprint + _SIGN) % 2**64 - _SIGN,
            "total": entry.sums.total.tolist(),
            "squares": entry.sums.squares.tolist(),
            "born": batch,
        }
    )


def _entry(row: Mapping[str, Any]) -> Entry:
    return Entry(CameraSums(row["crops"], _whole(row["total"]), _whole(row["squares"])), row["fingerprint"] % 2**64)


def _whole(numbers: Iterable[int]) -> NDArray[np.int64]:
    return np.array(list(numbers), dtype=np.int64)


def _names(row: Mapping[str, Any]) -> tuple[str, str]:
    collection, camera = json.loads("".join(row["body"]))
    return collection, camera
