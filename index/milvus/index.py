"""The `VectorIndex` on a Milvus server, shared by every process of an installation."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Final, TypeVar
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from index.changes import checked_batch
from index.contract import CameraStatistics, CollectionStats, Filter, Hit, Hits, IndexStats, Sighting, SightingColumns
from index.errors import IndexUnavailableError
from index.milvus.connection import CollectionGoneError, Connection
from index.milvus.expressions import matching
from index.milvus.purging import PurgeSchedule
from index.milvus.schemas import Kind, Names, prefix_of
from index.milvus.search import Gallery
from index.milvus.state import Moment, State
from index.milvus.words import word
from index.milvus.writing import Writer
from index.recheck import checked_hits
from index.vectors import checked_queries

Result = TypeVar("Result")

_ATTEMPTS: Final = 3
_MOST_WAITING: Final = 20_000


@dataclass(frozen=True, slots=True)
class MilvusOptions:
    """How an index on Milvus is kept and searched.

    Attributes:
        kind: How Milvus finds the nearest: FLAT looks at all rows and is exact, HNSW and DISKANN are approximate.
        exact_below: Candidates up to which all are looked at, whatever the kind.
        purge_after: How long after its deletion a crop stays on the server, and how long a search may take.
        timeout_s: Seconds after which a call to Milvus has failed.
    """

    kind: Kind = "HNSW"
    exact_below: int = 1000
    purge_after: timedelta = timedelta(seconds=30)
    timeout_s: float = 10.0


_DEFAULTS: Final = MilvusOptions()


class MilvusIndex:
    """A `VectorIndex` whose crops are on a Milvus server, which does most of the work.

    Every process of an installation looks at the same index, so what one has applied all see, and it need be applied
    once only. Each collection of crops is a Milvus collection of its own: a search has no way to another's crops.

    Milvus changes row by row and knows no transactions, so batches are numbered and only finished ones are looked at
    (see `index.milvus.writing.Writer`). Milvus cannot keep two writers apart either: processes that share an index must
    be given a lock that they share too.

    Args:
        dimension: Length of the embeddings.
        url: Address of Milvus, or the path of a file for Milvus Lite.
        model_id: The model that made the embeddings.
        installation: Id of the database whose change log the watermark counts.
        options: How it is kept and searched.
        writing: Gives what is held while changes are written, by one process at a time.

    Raises:
        IndexUnavailableError: Milvus cannot be reached; so does every method.
        ValueError: The dimension or the address is none that Milvus can be used with.
    """

    def __init__(
        self,
        dimension: int,
        url: str,
        *,
        model_id: str = "",
        installation: str = "",
        options: MilvusOptions = _DEFAULTS,
        writing: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._dimension = dimension
        self._options = options
        self._shared_lock = writing
        self._lock = Lock()
        self._prefix = prefix_of(installation, model_id)
        self._purging = PurgeSchedule(options.purge_after)
        self._connection = Connection(url, options.timeout_s)
        self._known_writer: tuple[int, Writer | None] = 0, None
        with writing():
            self._state = State(self._connection, self._prefix)
            self._writer(self._state.read()).create()

    @property
    def dimension(self) -> int:
        """Length of the embeddings."""
        return self._dimension

    @property
    def watermark(self) -> int:
        """Sequence number of the last change applied, by whichever process."""
        return self._state.read().watermark

    def apply(
        self,
        upserts: Iterable[Sighting | SightingColumns],
        deletes: Iterable[UUID],
        watermark: int,
        expired: Mapping[str, datetime] | None = None,
    ) -> None:
        """Apply a batch of changes; see `VectorIndex.apply`.

        An answer of Milvus that got lost can leave a batch applied although an error is raised. Applying it again
        changes nothing.
        """
        batch = checked_batch(upserts, deletes, expired, self._dimension)
        with self._lock, self._shared_lock():
            moment = self._state.read()
            if watermark < moment.watermark:
                raise ValueError(f"watermark {watermark} is behind {moment.watermark}, which the index has reached")
            writer = self._writer(moment)
            self._make_room(writer, moment)
            rows = writer.rows_of(batch, max(moment.batch, moment.begun) + 1)
            begun = self._state.begin(moment)
            if moment.begun > moment.batch:
                writer.recover(moment.batch, range(moment.batch + 1, moment.begun + 1), begun.begun)
            writer.write(batch, rows, moment.batch, begun.begun)
            self._state.publish(begun, watermark)
            self._purging.published(begun.begun)

    def maintain(self) -> None:
        """Delete what died long enough ago. `apply` does so too; this is for times when nothing changes."""
        with self._lock, self._shared_lock():
            moment = self._state.read()
            self._purge(self._writer(moment), moment.batch)

    def reset(self) -> None:
        """Forget everything and stand at watermark 0, so that the index can be built anew."""
        with self._lock, self._shared_lock():
            fresh = self._state.renew(self._state.read())
            self._purging = PurgeSchedule(self._options.purge_after)
            for name in self._connection.collections():
                if name.startswith(f"{self._prefix}_") and name != Names.state_of(self._prefix):
                    self._connection.drop(name)
            self._writer(fresh).create()

    def search(self, queries: NDArray[np.float32], k: int, where: Filter) -> list[Hits]:
        """The k nearest of each query; see `VectorIndex.search`."""
        checked = checked_queries(queries, k, self._dimension)
        return self._at_a_moment(lambda moment: self._search(moment, checked, k, where))

    def camera_statistics(self, collection: str) -> Mapping[str, CameraStatistics]:
        """Statistics of each camera of a collection, over the crops held now."""

        def look(moment: Moment) -> Mapping[str, CameraStatistics]:
            cameras = self._writer(moment).sums.cameras(collection, moment.batch)
            return {name: entry.sums.statistics() for name, entry in cameras.items()}

        return self._at_a_moment(look)

    def stats(self) -> IndexStats:
        """What is held. Crops are counted by Milvus; memory and disk are the server's."""
        return self._at_a_moment(self._stats)

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _search(self, moment: Moment, queries: NDArray[np.float32], k: int, where: Filter) -> list[Hits]:
        name = Names(self._prefix, moment.epoch).gallery(where.collection)
        conditions = matching(where)
        candidates, answers = 0, [(list[Hit](), True) for _ in queries]
        if conditions is not None and self._connection.exists(name):
            expression = " and ".join([self._living(moment, where.collection), *conditions])
            candidates = self._connection.count(name, expression)
            if candidates:
                gallery = Gallery(self._connection, name, expression, self._options.kind)
                answers = gallery.best(queries, k, candidates, self._options.exact_below)
        return [
            Hits(
                checked_hits(hits, where),
                "exact" if exact else "approximate",
                candidates,
                len(hits) == candidates,
                moment.watermark,
            )
            for hits, exact in answers
        ]

    def _stats(self, moment: Moment) -> IndexStats:
        names = Names(self._prefix, moment.epoch)
        collections = {}
        for collection, (_, fingerprint) in self._writer(moment).sums.totals(moment.batch).items():
            gallery = names.gallery(collection)
            crops = self._connection.count(gallery, self._living(moment, collection))
            rows = self._connection.count(gallery, "")
            collections[collection] = CollectionStats(
                crops=crops, dead=rows - crops, parts=1, codec=self._options.kind.lower(), fingerprint=fingerprint
            )
        return IndexStats(moment.watermark, collections, memory_bytes=0, disk_bytes=0)

    def _at_a_moment(self, look: Callable[[Moment], Result]) -> Result:
        """What a look at one published batch gives; begun again where rows it needed may be gone meanwhile."""
        for attempt in range(_ATTEMPTS):
            moment = self._state.read()
            try:
                seen = look(moment)
            except CollectionGoneError:
                if attempt == _ATTEMPTS - 1:
                    raise
                continue
            if not self._purging.outlived(moment.read_at):
                return seen
        raise IndexUnavailableError(
            f"Milvus took longer than {self._options.purge_after} for a search, {_ATTEMPTS} times; it is overloaded"
        )

    def _living(self, moment: Moment, collection: str) -> str:
        return self._writer(moment).deaths.of(word(collection), moment.batch).living(moment.batch)

    def _writer(self, moment: Moment) -> Writer:
        epoch, writer = self._known_writer
        if writer is None or epoch != moment.epoch:
            names = Names(self._prefix, moment.epoch)
            writer = Writer(self._connection, names, self._dimension, self._options.kind)
            self._known_writer = moment.epoch, writer
        return writer

    def _make_room(self, writer: Writer, moment: Moment) -> None:
        """Delete what is due, and wait where more waits to be deleted than searches should have to leave out."""
        self._purge(writer, moment.batch)
        while writer.deaths.waiting() > _MOST_WAITING:
            time.sleep(self._options.purge_after.total_seconds() / 10)
            self._purge(writer, moment.batch)

    def _purge(self, writer: Writer, batch: int) -> None:
        self._purging.published(batch)
        if (due := self._purging.due()) is not None:
            writer.purge(due)
