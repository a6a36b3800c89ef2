"""The newest crops of a collection, in memory: columns that one writer appends to and searches read without locks.

Rows are only ever appended. What searches see is a `TableRows`: views that end where the table ended when it was taken.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.attributes import AttributeSets
from index.columns import GrowingArray, Vocabulary
from index.ranking import near_best
from index.segments.rows import Columns
from index.sightings import SightingColumns
from index.times import UNKNOWN_TIME

_DTYPES: Final = {
    "id_high": np.uint64,
    "id_low": np.uint64,
    "times": np.int64,
    "fingerprints": np.uint64,
    "cameras": np.int32,
    "tracks": np.int32,
    "vehicles": np.int32,
    "attributes": np.int32,
}
_LOWER_HALF: Final = 2**64 - 1
_numbers: Final[Iterator[int]] = count(1)


@dataclass(frozen=True, slots=True)
class Vocabularies:
    """What the codes of the columns of the same names mean."""

    cameras: Vocabulary[str] = field(default_factory=Vocabulary)
    tracks: Vocabulary[tuple[str | None, str] | None] = field(default_factory=Vocabulary)
    vehicles: Vocabulary[str | None] = field(default_factory=Vocabulary)
    attributes: AttributeSets = field(default_factory=AttributeSets)


@dataclass(frozen=True, slots=True)
class TableVectors:
    """Vectors in memory, searched like those of a segment.

    Attributes:
        embeddings: Held vectors, shape (rows, dimension).
    """

    embeddings: NDArray[np.float32]

    def contenders(
        self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_], candidates: int, *, exact: bool
    ) -> NDArray[np.int64]:
        """Rows among which the k best of the allowed rows are; exact or not, all are compared."""
        del candidates, exact
        return near_best(self.embeddings, np.flatnonzero(allowed), query, k)

    def held(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors in the given rows."""
        return self.embeddings[rows]


@dataclass(frozen=True, slots=True)
class TableRows:
    """A table as it was after one batch; never changes.

    Attributes:
        table: The table.
        columns: Its rows.
        words: What their codes mean; may have learnt more since.
        vectors: Their vectors.
    """

    table: "Table"
    columns: Columns
    words: Vocabularies
    vectors: TableVectors

    def __len__(self) -> int:
        return len(self.columns)

    def rows_of(self, ids: Iterable[int]) -> NDArray[np.int64]:
        """Rows in which the given ids, as 128-bit numbers, were appended last, those not appended by then left out."""
        found = (self._row_of(one) for one in ids)
        return np.array([row for row in found if row is not None], dtype=np.int64)

    def _row_of(self, number: int) -> int | None:
        row = self.table.row_of(number)
        if row is None or row < len(self):
            return row
        # a writer has appended it since; what this table held of it then stands in the columns only
        columns = self.columns
        rows = np.flatnonzero((columns.id_low == number & _LOWER_HALF) & (columns.id_high == number >> 64))
        return int(rows[-1]) if len(rows) else None


@dataclass(frozen=True, slots=True)
class Staged:
    """Encoded rows, ready to be appended.

    Attributes:
        ids: Ids as 128-bit numbers.
        columns: The columns.
        embeddings: Held vectors, shape (rows, dimension).
    """

    ids: Sequence[int]
    columns: Columns
    embeddings: NDArray[np.float32]


class Table:
    """Rows of one collection. Belongs to one writer at a time.

    Args:
        codec: Name of the codec whose held vectors it takes.
        dimension: Length of the embeddings.

    Attributes:
        key: What no other table of this process is called.
        codec: Name of the codec.
        ids: Lowest and highest id ever appended; low above high before the first.
        words: What the codes of its columns mean.
        since: When it was made, aware.
        times: Earliest and latest known time ever appended, microseconds since 1970; None before the first.
    """

    def __init__(self, codec: str, dimension: int) -> None:
        self.key = f"table-{next(_numbers)}"
        self.codec = codec
        self.ids = (2**128, -1)
        self.times: tuple[int, int] | None = None
        self.since = datetime.now(UTC)
        self._columns = {name: GrowingArray(dtype) for name, dtype in _DTYPES.items()}
        self._embeddings = GrowingArray(np.float32, dimension)
        self.words = Vocabularies()
        self._places: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._embeddings)

    @property
    def memory_bytes(self) -> int:
        """What the columns and vectors take, unused room included."""
        return sum(column.nbytes for column in (*self._columns.values(), self._embeddings))

    def stage(self, crops: SightingColumns, embeddings: NDArray[np.float32]) -> Staged:
        """Encode crops and make room for them: all of appending that can fail, and nothing that a search sees.

        Args:
            crops: Crops to append, no id twice.
            embeddings: Their held vectors, shape (len(crops), dimension).
        """
        for column in (*self._columns.values(), self._embeddings):
            column.reserve(len(crops))
        words = self.words
        columns = Columns(
            id_high=crops.id_high,
            id_low=crops.id_low,
            times=crops.times,
            fingerprints=crops.fingerprints,
            cameras=words.cameras.encode_all(crops.camera_ids),
            tracks=words.tracks.encode_all(crops.tracks),
            vehicles=words.vehicles.encode_all(crops.vehicle_ids),
            attributes=words.attributes.encode_all(crops.attributes),
        )
        return Staged(crops.ids(), columns, embeddings)

    def append(self, staged: Staged) -> TableRows:
        """Append staged rows and answer the table as it is then."""
        self._places.update(zip(staged.ids, range(len(self), len(self) + len(staged.ids)), strict=True))
        lowest, highest = self.ids
        self.ids = min(lowest, *staged.ids), max(highest, *staged.ids)
        known = staged.columns.times[staged.columns.times != UNKNOWN_TIME]
        if len(known):
            first, last = self.times or (int(known[0]), int(known[0]))
            self.times = min(first, int(known.min())), max(last, int(known.max()))
        for name, column in self._columns.items():
            column.extend(getattr(staged.columns, name))
        self._embeddings.extend(staged.embeddings)
        return self._rows()

    def row_of(self, number: int) -> int | None:
        """Row in which an id, as a 128-bit number, was appended last up to now; None where it never was."""
        return self._places.get(number)

    def _rows(self) -> TableRows:
        columns = Columns(**{name: column.view() for name, column in self._columns.items()})
        return TableRows(self, columns, self.words, TableVectors(self._embeddings.view()))
