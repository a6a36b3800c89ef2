"""The index: the newest crops of each collection in memory, all others in immutable segments by time of capture."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final, Self
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from index.background import Background
from index.changes import checked_batch
from index.codecs import codec
from index.contract import CameraStatistics, Filter, Hits, IndexStats, Sighting, SightingColumns
from index.gpu.accelerator import Accelerator
from index.gpu.choice import accelerator_for
from index.holdings import Holdings
from index.options import IndexOptions
from index.searching import Searcher
from index.segments.folder import claim_folder
from index.segments.snapshots import Identity
from index.state import IndexState
from index.upkeep import Upkeep
from index.vectors import checked_queries

_DEFAULTS: Final = IndexOptions()


class SegmentedIndex:
    """A `VectorIndex` of tables in memory and segments in files.

    Searches run beside each other, beside `apply` and beside all work on files without waiting: each reads the state
    that the last finished batch left, which nothing changes afterwards. Writers wait for one another, and for the files
    only where they are `waiting_tables` full tables ahead.

    What is deleted is in no answer once `apply` returned, and in no file once `purge` has been called. What a changed
    crop was before leaves the files when its segment is rewritten and no kept snapshot names the old one: `purge_after`
    and two snapshots later at the latest.

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
        self._searcher = Searcher(options.threads)
        self._accelerator = accelerator or accelerator_for(options.device, options.device_memory_bytes)
        self._holdings = Holdings(options)
        self._upkeep = Upkeep(self._holdings, self._owned.path, self.identity, options, self._accelerator)
        self._background: Background | None = None
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
        index._upkeep.restore()
        if background:
            index._work_in_background()
        return index

    @property
    def dimension(self) -> int:
        """Length of the embeddings."""
        return self.identity.dimension

    @property
    def _state(self) -> IndexState:
        return self._holdings.state

    @property
    def watermark(self) -> int:
        """Sequence number of the last change applied; 0 before the first."""
        return self._state.watermark

    @property
    def folder(self) -> Path:
        """The numbered folder that this index alone has its files in."""
        return self._owned.path

    @property
    def problem(self) -> str | None:
        """What keeps the background work from going on; None where nothing does. No crop is lost meanwhile."""
        return None if self._background is None else self._background.problem

    @property
    def snapshot_wanted(self) -> bool:
        """Whether another snapshot would hold more than the last one, or let go of files that are no longer needed."""
        return self._upkeep.snapshot_wanted

    @property
    def deleted_at(self) -> int:
        """Watermark of the last batch by which anything was deleted; that at which the index was opened before one."""
        return self._holdings.deleted_at

    @property
    def purged_at(self) -> int:
        """What was deleted by this watermark is in no file any longer; -1 before the first `purge`."""
        return self._upkeep.purged_at

    def apply(
        self,
        upserts: Iterable[Sighting | SightingColumns],
        deletes: Iterable[UUID],
        watermark: int,
        expired: Mapping[str, datetime] | None = None,
    ) -> None:
        """Apply a batch of changes as one step that no search sees half done; see `VectorIndex.apply`."""
        batch = checked_batch(upserts, deletes, expired, self.dimension)
        self._holdings.apply(batch, watermark, self._sealing)
        if self._background is not None and self._holdings.waiting():
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
        self._holdings.set_codec(collection, name)

    def maintain(self) -> bool:
        """Do one step of sealing, compaction or purging.

        Returns:
            Whether there was anything to do.

        Raises:
            StorageError: Files cannot be written. Nothing is lost: what was to be rewritten stays as it was.
        """
        return self._upkeep.maintain()

    def snapshot(self) -> int:
        """Write every crop held to files, and a manifest of them from which `open` can start.

        Returns:
            The watermark that the snapshot has.

        Raises:
            StorageError: Files cannot be written. The snapshots before stay.
        """
        return self._upkeep.snapshot()

    def purge(self) -> int | None:
        """Write what was deleted out of the files: of this index and of those left by others.

        Segments that hold deleted crops are written anew without them, and no snapshot is kept that names the old ones.
        What a process has left that is not running is removed, as nobody else would; that process builds its index
        anew. Not in the first half minute, when others may be about to start; until then `purged_at` stays behind.

        Returns:
            The watermark of the snapshot that was made; None where none was needed.

        Raises:
            StorageError: Files cannot be written or removed. What was to be purged is purged the next time.
        """
        return self._upkeep.purge()

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

    def _sealing(self) -> bool:
        """Whether full tables are being written to files by a thread of the index's own."""
        return self._background is not None and self._background.problem is None

    def _work_in_background(self) -> None:
        self._background = Background(self._upkeep.step, min(10.0, self._options.seal_after.total_seconds()))
