"""The index: the newest crops of each collection in memory, all others in immutable segments by time of capture."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Condition, Lock
from typing import Final, Self
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from index.applying import drafted
from index.background import Background
from index.changes import checked_batch
from index.codecs import CODECS, codec
from index.contract import CameraStatistics, Filter, Hits, IndexStats, Sighting, SightingColumns
from index.gpu.accelerator import Accelerator
from index.gpu.choice import accelerator_for
from index.gpu.vectors import accelerated
from index.maintenance import Rewrite, compact, seal, to_compact
from index.options import IndexOptions
from index.parts import Part
from index.purging import left_over, require_clean, unpurged
from index.recording import recorded, recorded_segments, restored
from index.searching import Searcher
from index.segments.folder import KEPT_SNAPSHOTS, claim_folder, clear_neighbours, collect_garbage
from index.segments.segment import Segment
from index.segments.snapshots import SEGMENTS, Identity, open_newest, write_snapshot
from index.state import CollectionDraft, IndexState
from index.table import Table, TableRows
from index.vectors import checked_queries

_DEFAULTS: Final = IndexOptions()
_LONGEST_WAIT_S: Final = 1.0


class SegmentedIndex:
    """A `VectorIndex` of tables in memory and segments in files.

    Searches run beside each other, beside `apply` and beside all work on files without waiting: each reads the state
    that the last finished batch left, which nothing changes afterwards. Writers wait for one another, and for the files
    only where they are `waiting_tables` full tables ahead.

    What is deleted is in no answer once `apply` returned, and in no file once `purge` has been called. What a changed crop
    was before leaves the files when its segment is rewritten and no kept snapshot names the old one: `purge_after` and
    two snapshots later at the latest.

    Args:
        dimension: Length of the embeddings.
        folder: Where files go; several processes may be given the same.
        options: How crops are kept and searched.
        model_id: The model that made the embeddings.
        installation: Id of the database whose change log the watermark counts.
        background: Whether a thread of its own seals, compacts, purges and records snapshots. Otherwise nothing is
            done but by `maintain` and `snapshot`.
        accelerator: What helps to search large segments, closed with the index; what the options name where absent.

    Raises:
        StorageError: The folder cannot be made or written to.
    """

    def __init__(
        self,
        dimension: int,
        folder: Path,
        options: IndexOptions = _DEFAULTS,
        *,
        model_id: str = "",
        installation: str = "",
        background: bool = True,
        accelerator: Accelerator | None = None,
    ) -> None:
        if dimension < 1:
            raise ValueError(f"dimension is {dimension}, must be at least 1")
        self.identity: Final = Identity(model_id, installation, dimension)
        self._options = options
        self._owned = claim_folder(folder)
        self._folder = self._owned.path
        self._segments_folder = self._folder / SEGMENTS
        self._searcher = Searcher(options.threads)
        self._writing = Condition()
        self._maintaining = Lock()
        self._codecs: dict[str, str] = {}
        self._tables: dict[str, Table] = {}
        self._state = IndexState()
        self._changes = self._recorded_changes = 0
        self._deleted_at, self._purged_at = 0, -1
        self._named: frozenset[str] = frozenset()  # segments of the snapshots that stay
        self._snapshot_at = time.monotonic()
        self._background: Background | None = None
        self._accelerator = accelerator or accelerator_for(options.device, options.device_memory_bytes)
        if background:
            self._work_in_background()

    @classmethod
    def open(
        cls,
        dimension: int,
        folder: Path,
        model_id: str,
        installation: str,
        options: IndexOptions = _DEFAULTS,
        *,
        background: bool = True,
        accelerator: Accelerator | None = None,
    ) -> Self:
        """An index from the newest snapshot that can be used; empty, at watermark 0, where there is none.

        Args:
            dimension: Length of the embeddings.
            folder: Where an index like this one had its files.
            model_id: The model that made the embeddings.
            installation: Id of the database whose change log the watermark counts.
            options: How crops are kept and searched.
            background: Whether the index has a thread of its own.
            accelerator: What helps to search large segments; what the options name where absent.

        Raises:
            StorageError: The folder cannot be made or written to.
        """
        index = cls(
            dimension,
            folder,
            options,
            model_id=model_id,
            installation=installation,
            background=False,
            accelerator=accelerator,
        )
        index._restore()
        if background:
            index._work_in_background()
        return index

    @property
    def dimension(self) -> int:
        """Length of the embeddings."""
        return self.identity.dimension

    @property
    def watermark(self) -> int:
        """Sequence number of the last change applied; 0 before the first."""
        return self._state.watermark

    @property
    def folder(self) -> Path:
        """The numbered folder that this index alone has its files in."""
        return self._folder

    @property
    def problem(self) -> str | None:
        """What keeps the background work from going on; None where nothing does. No crop is lost meanwhile."""
        return None if self._background is None else self._background.problem

    @property
    def snapshot_wanted(self) -> bool:
        """Whether another snapshot would hold more than the last one, or let go of files that are no longer needed."""
        return self._changes != self._recorded_changes or not self._named <= self._living()

    @property
    def deleted_at(self) -> int:
        """Watermark of the last batch by which anything was deleted; that at which the index was opened before one."""
        return self._deleted_at

    @property
    def purged_at(self) -> int:
        """What was deleted by this watermark is in no file any longer; -1 before the first `purge`."""
        return self._purged_at

    def apply(
        self,
        upserts: Iterable[Sighting | SightingColumns],
        deletes: Iterable[UUID],
        watermark: int,
        expired: Mapping[str, datetime] | None = None,
    ) -> None:
        """Apply a batch of changes as one step that no search sees half done; see `VectorIndex.apply`."""
        batch = checked_batch(upserts, deletes, expired, self.dimension)
        with self._writing:
            while self._too_far_ahead():
                self._writing.wait(_LONGEST_WAIT_S)
            if watermark < self._state.watermark:
                raise ValueError(f"watermark {watermark} is behind {self._state.watermark}, which was already applied")
            drafts = drafted(batch, self._state, self._tables, self._codec_of, _now())
            if batch.gone or batch.expired:
                self._deleted_at = watermark
            self._publish(drafts, watermark)
            self._changes += 1
        if self._background is not None and self._waiting():
            self._background.wake()

    def search(self, queries: NDArray[np.float32], k: int, where: Filter) -> list[Hits]:
        """For each query the k crops most similar to it among those the filter leaves; see `VectorIndex.search`."""
        queries = checked_queries(queries, k, self.dimension)
        state = self._state
        return self._searcher.search(state, queries, k, where, self._options.exact_below)

    def camera_statistics(self, collection: str) -> Mapping[str, CameraStatistics]:
        """Statistics of each camera of a collection, over the crops held now."""
        state = self._state.collections.get(collection)
        return {} if state is None else {camera: sums.statistics() for camera, sums in state.camera_sums.items()}

    def stats(self) -> IndexStats:
        """What is held, and what it takes."""
        return self._state.stats(None if self._accelerator is None else self._accelerator.stats())

    def set_codec(self, collection: str, name: str) -> None:
        """Choose the codec of a collection: of new crops at once, of those held when compaction has rewritten them.

        Args:
            collection: Name of the collection, which may hold no crop yet.
            name: Name of the codec.

        Raises:
            ValueError: There is no such codec.
        """
        codec(name)
        with self._writing:
            if name == self._codecs.get(collection):
                return
            self._codecs[collection] = name
            self._changes += 1
            self._tables.pop(collection, None)  # what it holds was rounded for the other codec
            if (state := self._state.collections.get(collection)) is not None:
                collections = {**self._state.collections, collection: replace(state, codec=name)}
                self._state = IndexState(self._state.watermark, collections)

    def maintain(self) -> bool:
        """Do one step of sealing, compaction or purging.

        Returns:
            Whether there was anything to do.

        Raises:
            StorageError: Files cannot be written. Nothing is lost: what was to be rewritten stays as it was.
        """
        with self._maintaining:
            now = _now()
            self._freeze_overdue(now)
            for name, part, rows in self._waiting():
                self._take_in(seal(self._segments_folder, name, part, rows, self._options.span_us))
                return True
            for name, collection in self._state.collections.items():
                if (parts := to_compact(collection, self._options, now)) is not None:
                    self._take_in(compact(self._segments_folder, name, parts, collection.codec, self._options.span_us))
                    self._collect_garbage()
                    return True
            return False

    def snapshot(self) -> int:
        """Write every crop held to files, and a manifest of them from which `open` can start.

        Returns:
            The watermark that the snapshot has.

        Raises:
            StorageError: Files cannot be written. The snapshots before stay.
        """
        with self._maintaining:
            return self._snapshot(KEPT_SNAPSHOTS)

    def purge(self) -> int | None:
        """Write what was deleted out of the files: of this index and, from the second time on, of those left by others.

        Segments that hold deleted crops are written anew without them, and no snapshot is kept that names the old ones.
        What a process has left that is not running is removed, as nobody else would; that process builds its index
        anew. Not at the first time, when others may be about to start.

        Returns:
            The watermark of the snapshot that was made; None where none was needed.

        Raises:
            StorageError: Files cannot be written or removed. What was to be purged is purged the next time.
        """
        with self._maintaining:
            begun, made = self._state.watermark, None
            for name, part in unpurged(self._state):
                if (collection := self._state.collections.get(name)) is not None:
                    self._take_in(
                        compact(self._segments_folder, name, [part], collection.codec, self._options.span_us)
                    )
            if left_over(self._folder, self._living()):
                made = self._snapshot(kept=1)
                require_clean(self._folder, self._living() | self._named)
            if self._purged_at >= 0:
                clear_neighbours(self._folder)
            self._purged_at = begun
            return made

    def close(self) -> None:
        """Stop work in the background and let go of the files. No other call may follow."""
        if self._background is not None:
            self._background.stop()
        self._searcher.close()
        if self._accelerator is not None:
            self._accelerator.close()  # before the vectors, which it may be reading
        for _, part in self._state.parts():
            if part.segment is not None:
                part.segment.close()
        self._owned.release()

    def _snapshot(self, kept: int) -> int:
        """Make a snapshot, and keep so many. The caller holds the lock of maintenance."""
        with self._writing:
            self._tables = {}
            state, chosen, changes = self._state, dict(self._codecs), self._changes
        sealed: dict[str, Rewrite] = {}
        for name, part in state.parts():
            if isinstance(part.rows, TableRows):
                sealed[part.key] = seal(self._segments_folder, name, part, part.rows, self._options.span_us)
                self._take_in(sealed[part.key])
        write_snapshot(self._folder, recorded(state, sealed, self.identity, chosen, _now()))
        self._recorded_changes, self._snapshot_at = changes, time.monotonic()
        collect_garbage(self._folder, self.identity, self._living(), kept)
        self._named = recorded_segments(self._folder, self.identity)
        return state.watermark

    def _publish(self, drafts: Mapping[str, CollectionDraft], watermark: int) -> None:
        """Let searches see the drafts. The caller holds the lock of writers."""
        collections = dict(self._state.collections)
        for name, draft in drafts.items():
            table = self._tables.get(name)
            if (finished := draft.finished()) is None:
                collections.pop(name, None)
            else:
                collections[name] = finished
            empty = finished is None or (table is not None and table.key not in finished.parts)
            if table is not None and (empty or len(table) >= self._options.seal_rows):
                del self._tables[name]
        self._state = IndexState(watermark, collections)

    def _take_in(self, rewrite: Rewrite) -> None:
        """Let searches see rewritten parts, less what died meanwhile."""
        self._accelerate(rewrite.new)
        with self._writing:
            if (collection := self._state.collections.get(rewrite.collection)) is not None:
                draft = CollectionDraft(collection)
                rewrite.take_in(draft, _now())
                self._publish({rewrite.collection: draft}, self._state.watermark)
            self._writing.notify_all()

    def _waiting(self) -> list[tuple[str, Part, TableRows]]:
        """Tables that nothing is appended to any longer, oldest first, with their collections."""
        with self._writing:
            growing = {table.key for table in self._tables.values()}
            return [
                (name, part, part.rows)
                for name, part in self._state.parts()
                if isinstance(part.rows, TableRows) and part.key not in growing
            ]

    def _too_far_ahead(self) -> bool:
        return (
            self._background is not None
            and self._background.problem is None
            and len(self._waiting()) > self._options.waiting_tables
        )

    def _freeze_overdue(self, now: datetime) -> None:
        with self._writing:
            for name, table in list(self._tables.items()):
                dead_since = self._state.collections[name].parts[table.key].dead_since
                overdue = dead_since is not None and now - dead_since >= self._options.purge_after
                if overdue or now - table.since >= self._options.seal_after:
                    del self._tables[name]

    def _work_in_background(self) -> None:
        self._background = Background(self._step, min(10.0, self._options.seal_after.total_seconds()))

    def _step(self) -> bool:
        """One step of the background's work."""
        if self.maintain():
            return True
        due = time.monotonic() - self._snapshot_at >= self._options.snapshot_every.total_seconds()
        if due and self.snapshot_wanted:
            self.snapshot()
            return True
        return False

    def _codec_of(self, collection: str) -> str:
        return self._codecs.get(collection, self._options.codec)

    def _accelerate(self, segments: Iterable[Segment]) -> None:
        """Let the device help to search segments that no search has seen so far."""
        if self._accelerator is not None:
            for segment in segments:
                approximate = CODECS[segment.description.codec].approximate
                segment.vectors = accelerated(segment.vectors, self._accelerator, approximate=approximate)

    def _collect_garbage(self) -> None:
        collect_garbage(self._folder, self.identity, self._living())

    def _living(self) -> set[str]:
        """Ids of the segments that searches see."""
        return {part.key for _, part in self._state.parts() if part.segment is not None}

    def _restore(self) -> None:
        if (found := open_newest(self._folder, self.identity, CODECS)) is not None:
            snapshot, segments = found
            self._accelerate(segments.values())
            chosen = {name: one.codec for name, one in snapshot.collections.items()}
            self._codecs = {name: codec for name, codec in chosen.items() if codec is not None}
            self._state = restored(snapshot, segments, self._codec_of)
            self._deleted_at = self._state.watermark
            self._named = recorded_segments(self._folder, self.identity)


def _now() -> datetime:
    return datetime.now(UTC)
