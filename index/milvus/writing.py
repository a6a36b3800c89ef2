"""Writing one batch so that nobody sees it before all of it is there, and clearing up behind writers that died."""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import UUID

from index.changes import Batch
from index.milvus.connection import Connection
from index.milvus.expressions import ALIVE, captured_before, one_of
from index.milvus.rows import Row, crop_of, row_of
from index.milvus.schemas import (
    CROP_FIELDS,
    Kind,
    Names,
    crop_bytes,
    crops_indexes,
    crops_schema,
    sums_indexes,
    sums_schema,
)
from index.milvus.sums import Changes, SumsTable

_IDS_AT_ONCE: Final = 1000


class Writer:
    """Writes batches into the collections of an epoch. One at a time.

    A batch gives its number to the rows it writes (`born`) and to those it replaces or deletes (`died`). Searches look
    at rows that are born at or before the published batch and have not died by then, so nothing of a batch is seen
    before it is published, and then all of it. Rows that died are deleted when no search can need them any more.

    Args:
        connection: The server.
        names: The collections.
        dimension: Length of the embeddings.
        kind: How Milvus finds the nearest.
    """

    def __init__(self, connection: Connection, names: Names, dimension: int, kind: Kind) -> None:
        self._connection = connection
        self._names = names
        self._dimension = dimension
        self._kind = kind
        self._bytes = crop_bytes(dimension)
        connection.create(names.sums, sums_schema(dimension), sums_indexes())
        self._sums = SumsTable(connection, names.sums, dimension)

    def rows_of(self, batch: Batch, number: int) -> Mapping[str, list[Row]]:
        """The rows of a batch's crops by collection.

        Raises:
            ValueError: A row cannot hold a crop.
        """
        return {
            collection: [row_of(crop, vector, number) for crop, vector in zip(crops, vectors, strict=True)]
            for collection, (crops, vectors) in batch.by_collection().items()
        }

    def write(self, batch: Batch, rows: Mapping[str, list[Row]], before: int, number: int) -> None:
        """Write a batch; nothing of it is seen until it is published.

        Args:
            batch: The changes.
            rows: The rows of its crops.
            before: Number of the batch that is published.
            number: Number of this one.
        """
        changes = Changes(self._dimension)
        galleries = self._galleries()
        for name in galleries:
            for page in self._doomed(name, batch, before):
                changes.take(map(crop_of, page))
                self._connection.upsert(name, [{**row, "died": number} for row in page], self._bytes)
        for collection, members in rows.items():
            name = self._names.gallery(collection)
            if name not in galleries:
                self._create(name)
            changes.add(map(crop_of, members))
            self._connection.upsert(name, members, self._bytes)
        self._sums.write(changes, before, number)

    def recover(self, batch: int) -> None:
        """Take back what was written after a batch and never published, because its writer died or gave up."""
        for name in self._galleries():
            self._create(name)  # its writer may have died before it had an index
            self._connection.delete(name, f"born > {batch}")
            unfinished = f"died > {batch} and died != {ALIVE}"
            for page in self._connection.pages(name, unfinished, CROP_FIELDS, self._bytes):
                self._connection.upsert(name, [{**row, "died": ALIVE} for row in page], self._bytes)
        self._sums.recover(batch)

    def purge(self, batch: int) -> None:
        """Delete the rows that had died by a batch, and galleries that are left with none."""
        for name in self._galleries():
            self._connection.delete(name, f"died <= {batch}")
            if not self._connection.count(name, ""):
                self._connection.drop(name)
        self._sums.purge(batch)

    def _create(self, name: str) -> None:
        indexes = crops_indexes(self._kind, arrays=self._connection.indexes_arrays)
        self._connection.create(name, crops_schema(self._dimension), indexes)

    def _galleries(self) -> list[str]:
        return [name for name in self._connection.collections() if name.startswith(self._names.every_gallery)]

    def _doomed(self, name: str, batch: Batch, before: int) -> Iterator[list[Mapping[str, Any]]]:
        """Rows that a batch deletes, replaces or has expire, each once: marked ones are not found again."""
        living = f"born <= {before} and died == {ALIVE}"
        ids = sorted(batch.gone.union(batch.crops))
        for start in range(0, len(ids), _IDS_AT_ONCE):
            listed = one_of("crop", (UUID(int=one).hex for one in ids[start : start + _IDS_AT_ONCE]))
            yield from self._connection.pages(name, f"{living} and {listed}", CROP_FIELDS, self._bytes)
        for collection, time in batch.expired.items():
            if self._names.gallery(collection) == name:
                expression = f"{living} and {captured_before(time)}"
                yield from self._connection.pages(name, expression, CROP_FIELDS, self._bytes)
