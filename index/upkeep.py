"""The work on an index's files: sealing, compaction, purging and snapshots, beside searches and writers."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Final

from index.codecs import CODECS
from index.gpu.accelerator import Accelerator
from index.gpu.vectors import accelerated
from index.holdings import Holdings
from index.maintenance import Rewrite, compact, seal, to_compact
from index.options import IndexOptions
from index.parts import Part
from index.purging import left_over, require_clean, unpurged
from index.recording import recorded, recorded_segments, restored
from index.segments.folder import KEPT_SNAPSHOTS, clear_neighbours, collect_garbage, has_left_neighbours
from index.segments.segment import Segment
from index.segments.snapshots import SEGMENTS, Identity, IndexSnapshot, open_newest, write_snapshot
from index.table import TableRows

STARTING_S: Final = 30.0
"""How long after its start an index leaves alone what others have left, as these may be about to start too."""


class Upkeep:
    """Writes what an index holds to its files, one thing at a time, and starts from them.

    Args:
        holdings: What is held.
        folder: The index's own folder.
        identity: Model, installation and dimension.
        options: How crops are kept, and when what is due.
        accelerator: What helps to search large segments; None where nothing does.

    Attributes:
        purged_at: What was deleted by this watermark is in no file any longer; -1 before the first purge.
    """

    def __init__(
        self,
        holdings: Holdings,
        folder: Path,
        identity: Identity,
        options: IndexOptions,
        accelerator: Accelerator | None,
    ) -> None:
        self._holdings = holdings
        self._folder = folder
        self._segments_folder = folder / SEGMENTS
        self._identity = identity
        self._options = options
        self._accelerator = accelerator
        self._maintaining = Lock()
        self._recorded_changes = 0
        self._named: frozenset[str] = frozenset()  # segments of the snapshots that stay
        self._begun_at = self._snapshot_at = time.monotonic()
        self.purged_at = -1

    @property
    def snapshot_wanted(self) -> bool:
        """Whether another snapshot would hold more than the last one, or let go of files that are no longer needed."""
        return self._holdings.changes != self._recorded_changes or not self._named <= self._holdings.segments()

    def restore(self) -> None:
        """Hold what the newest snapshot has that can be used; nothing where there is none."""
        if (found := open_newest(self._folder, self._identity, CODECS)) is not None:
            snapshot, segments = found
            self._accelerate(segments.values())
            chosen = {name: one.codec for name, one in snapshot.collections.items()}
            own = {name: codec for name, codec in chosen.items() if codec is not None}
            state = restored(snapshot, segments, lambda name: own.get(name, self._options.codec))
            self._holdings.begin_with(state, own)
            self._named = recorded_segments(self._folder, self._identity)

    def step(self) -> bool:
        """Do one step of all that is due, snapshots included; whether there was anything to do.

        Raises:
            StorageError: Files cannot be written. Nothing is lost.
        """
        if self.maintain():
            return True
        due = time.monotonic() - self._snapshot_at >= self._options.snapshot_every.total_seconds()
        if due and self.snapshot_wanted:
            self.snapshot()
            return True
        return False

    def maintain(self) -> bool:
        """Do one step of sealing, compaction or purging; see `SegmentedIndex.maintain`."""
        with self._maintaining:
            now = _now()
            self._holdings.freeze_overdue(now)
            for table in self._holdings.waiting():
                self._seal(*table)
                return True
            for name, collection in self._holdings.state.collections.items():
                if (parts := to_compact(collection, self._options, now)) is not None:
                    self._take_in(compact(self._segments_folder, name, parts, collection.codec, self._options.span_us))
                    collect_garbage(self._folder, self._identity, self._holdings.segments())
                    return True
            return False

    def snapshot(self) -> int:
        """Write every crop held to files, and a manifest of them; see `SegmentedIndex.snapshot`."""
        with self._maintaining:
            return self._snapshot(KEPT_SNAPSHOTS).watermark

    def purge(self) -> int | None:
        """Write what was deleted out of the files; see `SegmentedIndex.purge`."""
        with self._maintaining:
            begun, made = self._holdings.state.watermark, None
            for name, part in unpurged(self._holdings.state):
                for table in self._holdings.waiting():  # writers wait for them, and there may be very many segments
                    self._seal(*table)
                if (collection := self._holdings.state.collections.get(name)) is not None:
                    self._take_in(compact(self._segments_folder, name, [part], collection.codec, self._options.span_us))
            if left_over(self._folder, self._holdings.segments()):
                snapshot = self._snapshot(kept=1)
                # not what the folder still has snapshots of: one that cannot be removed keeps what it names
                require_clean(self._folder, self._holdings.segments() | snapshot.segment_ids())
                made = snapshot.watermark
            if time.monotonic() - self._begun_at >= STARTING_S:
                clear_neighbours(self._folder)
            elif has_left_neighbours(self._folder):
                return made  # what was deleted may be there; so it is not said to be gone before it is
            self.purged_at = begun
            return made

    def _seal(self, collection: str, part: Part, rows: TableRows) -> None:
        """Write a full table to files. The caller holds the lock of maintenance."""
        self._take_in(seal(self._segments_folder, collection, part, rows, self._options.span_us))

    def _snapshot(self, kept: int) -> IndexSnapshot:
        """Make a snapshot, and keep so many. The caller holds the lock of maintenance."""
        held = self._holdings.freeze()
        sealed: dict[str, Rewrite] = {}
        for name, part in held.state.parts():
            if isinstance(part.rows, TableRows):
                sealed[part.key] = seal(self._segments_folder, name, part, part.rows, self._options.span_us)
                self._take_in(sealed[part.key])
        snapshot = recorded(held.state, sealed, self._identity, held.codecs, _now())
        write_snapshot(self._folder, snapshot)
        self._recorded_changes, self._snapshot_at = held.changes, time.monotonic()
        collect_garbage(self._folder, self._identity, self._holdings.segments(), kept)
        self._named = recorded_segments(self._folder, self._identity)
        return snapshot

    def _take_in(self, rewrite: Rewrite) -> None:
        """Let searches see rewritten parts, once the device has what it is to have of them."""
        self._accelerate(rewrite.new)
        self._holdings.take_in(rewrite)

    def _accelerate(self, segments: Iterable[Segment]) -> None:
        """Let the device help to search segments that no search has seen so far."""
        if self._accelerator is not None:
            for segment in segments:
                approximate = CODECS[segment.description.codec].approximate
                segment.vectors = accelerated(segment.vectors, self._accelerator, approximate=approximate)


def _now() -> datetime:
    return datetime.now(UTC)
