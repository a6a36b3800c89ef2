"""Writing one batch so that nobody sees it before all of it is there, and clearing up behind writers that died."""

from collections.abc import Iterable, Mapping
from typing import Final
from uuid import UUID

from index.changes import Batch
from index.milvus.connection import Connection
from index.milvus.deaths import Deaths
from index.milvus.expressions import captured_before, not_captured_before, one_of
from index.milvus.rows import Row, crop_of, row_of
from index.milvus.schemas import (
    CROP_FIELDS,
    SUMS,
    Kind,
    Names,
    crop_bytes,
    crops_indexes,
    crops_schema,
    sums_indexes,
    sums_schema,
)
from index.milvus.sums import Changes, SumsTable
from index.milvus.words import word

_IDS_AT_ONCE: Final = 1000


class Writer:
    """Writes batches into the collections of an epoch. One at a time.

    A batch gives its number to the rows that it adds and to its notes which rows are dead. Searches look at rows and
    notes up to the batch that is published, so nothing of a batch is seen before that, and then all of it. Dead rows
    are deleted when no search can need them any more.

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
        self.deaths: Final = Deaths(connection, names.deaths)
        self.sums: Final = SumsTable(connection, names.sums, self.deaths, dimension)

    def create(self) -> None:
        """Create what every index has, unless it is there."""
        self.deaths.create()
        self._connection.create(self._names.sums, sums_schema(self._dimension), sums_indexes())

    def rows_of(self, batch: Batch, number: int) -> Mapping[str, list[Row]]:
        """The rows of a batch's crops by collection.

        Raises:
            ValueError: A row cannot hold a crop.
        """
        return {block.collection: [row_of(crop, crop.embedding, number) for crop in block] for block in batch.upserts}

    def write(self, batch: Batch, rows: Mapping[str, list[Row]], before: int, number: int) -> None:
        """Write a batch; nothing of it is seen until it is published.

        Args:
            batch: The changes.
            rows: The rows of its crops.
            before: Number of the batch that is published.
            number: Number of this one.
        """
        changes = Changes(self._dimension)
        expired = {word(collection): time for collection, time in batch.expired.items()}
        galleries = self._galleries()
        for gallery in galleries:
            living = self.deaths.of(gallery, before).living(before)
            if gallery in expired:
                self._expire(gallery, expired[gallery], living, number, changes)
                living = f"{living} and ({not_captured_before(expired[gallery])})"
            self._bury(gallery, batch.gone.union(batch.ids), living, number, changes)
        for collection, members in rows.items():
            if word(collection) not in galleries:
                self._create(self._names.gallery(collection))
            changes.add(map(crop_of, members))
            self._connection.upsert(self._names.gallery(collection), members, self._bytes)
        self.sums.write(changes, before, number)

    def recover(self, before: int, unfinished: range, number: int) -> None:
        """Take back what was written after a batch and never published, because its writer died or gave up.

        Args:
            before: Number of the batch that is published.
            unfinished: The batches that were begun since.
            number: The batch that is to be written next.
        """
        for gallery in self._galleries():
            self._create(self._names.every_gallery + gallery)  # its writer may have died before it had its indexes
            self._connection.delete(self._names.every_gallery + gallery, f"born > {before}")
        self._connection.delete(self._names.sums, f"born > {before}")
        self.deaths.recover(before)
        self.deaths.give_up(unfinished, number)

    def purge(self, batch: int) -> None:
        """Delete the rows that were dead by a batch, and galleries that are left with none."""
        for gallery in self.deaths.galleries(batch, [*self._galleries(), SUMS]):
            name = self._names.sums if gallery == SUMS else self._names.every_gallery + gallery
            for expression in self.deaths.of(gallery, batch).dead():
                self._connection.delete(name, expression)
            if gallery != SUMS and not self._connection.count(name, ""):
                self._connection.drop(name)
        self.deaths.forget(batch)

    def _galleries(self) -> list[str]:
        """Words of the collections that have a Milvus collection."""
        start = self._names.every_gallery
        return [name.removeprefix(start) for name in self._connection.collections() if name.startswith(start)]

    def _create(self, name: str) -> None:
        indexes = crops_indexes(self._kind, arrays=self._connection.indexes_arrays)
        self._connection.create(name, crops_schema(self._dimension), indexes)

    def _bury(self, gallery: str, ids: Iterable[int], living: str, number: int, changes: Changes) -> None:
        """Note the rows of crops that a batch deletes or replaces, and count them out."""
        name, ordered = self._names.every_gallery + gallery, sorted(ids)
        for start in range(0, len(ordered), _IDS_AT_ONCE):
            listed = one_of("crop", (UUID(int=one).hex for one in ordered[start : start + _IDS_AT_ONCE]))
            for page in self._connection.pages(name, f"{living} and {listed}", CROP_FIELDS, self._bytes):
                changes.take(map(crop_of, page))
                self.deaths.note(gallery, [row["version"] for row in page], number)

    def _expire(self, gallery: str, before: int, living: str, number: int, changes: Changes) -> None:
        """Note that all of before a time is dead, and count it out."""
        name, found = self._names.every_gallery + gallery, False
        expression = f"{living} and {captured_before(before)}"
        for page in self._connection.pages(name, expression, CROP_FIELDS, self._bytes):
            changes.take(map(crop_of, page))
            found = True
        if found:
            self.deaths.expire(gallery, before, number)
