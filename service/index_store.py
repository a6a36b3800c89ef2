"""Where a follower has its index from: what an earlier process left in the data folder, or an empty one."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Protocol
from uuid import UUID

from index.contract import VectorIndex
from index.options import IndexOptions
from index.segmented import SegmentedIndex
from index.segments.files import write_atomically
from index.segments.snapshots import manifests
from service.follower_repository import Line

LINES = "lines"
"""Where the lines are, in the folder of an index."""
KEPT_LINES = 64
"""More than there are snapshots in the folder of an index, and attempts at one until a disk has room again."""


class FollowedIndex(VectorIndex, Protocol):
    """An index that a follower can fill and come back to."""

    @property
    def problem(self) -> str | None:
        """What keeps it from writing its files, so that the newest crops stay in memory; None where nothing does."""

    @property
    def snapshot_wanted(self) -> bool:
        """Whether there is anything that another snapshot would be good for."""

    @property
    def deleted_at(self) -> int:
        """Watermark of the last batch by which anything was deleted."""

    @property
    def purged_at(self) -> int:
        """What was deleted by this watermark is in no file any longer; -1 before the first `purge`."""

    def snapshot(self) -> int:
        """Make what it holds last; the watermark at which it did."""

    def purge(self) -> int | None:
        """Write what was deleted out of the files; the watermark of the snapshot made for it, if one was."""

    def set_codec(self, collection: str, name: str) -> None:
        """Choose how a collection's vectors are kept."""


class IndexStore(Protocol):
    """Makes the index of a process. One at a time: the one before is closed."""

    @property
    def default_codec(self) -> str:
        """How the vectors of a collection are kept that has no codec of its own."""

    def open(self, installation: UUID) -> tuple[FollowedIndex, Line] | None:
        """What was left and the line at which it stands; None where nothing of this database can be used."""

    def fresh(self, installation: UUID) -> FollowedIndex:
        """An empty index. What was left where it has its files is not come back to."""

    def stands(self, line: Line) -> None:
        """Note the line at which a snapshot was made. One that no line is known of is not come back to."""


class SegmentStore:
    """Segments in a folder.

    A snapshot knows the number of its last change. That is not enough to go on from it: in a database restored from a
    backup other changes come to have the same numbers. So the line itself is kept beside the snapshot, to be compared
    with the one in the log, and in the snapshot's own folder, as other processes have snapshots of other moments.

    Args:
        folder: Where; several processes may be given the same.
        dimension: Length of the embeddings.
        model_id: The model that made the embeddings.
        options: How crops are kept and searched.
        kind: The class of the index.
    """

    def __init__(
        self,
        folder: Path,
        dimension: int,
        model_id: str,
        options: IndexOptions,
        kind: type[SegmentedIndex] = SegmentedIndex,
    ) -> None:
        self._folder = folder
        self._lines = folder / LINES
        self._dimension = dimension
        self._model_id = model_id
        # snapshots are asked for, so that none is made of which the line is not known
        self._options = replace(options, snapshot_every=timedelta.max)
        self._kind = kind

    @property
    def default_codec(self) -> str:
        """See `IndexStore.default_codec`."""
        return self._options.codec

    def open(self, installation: UUID) -> tuple[FollowedIndex, Line] | None:
        """What was left; see `IndexStore.open`."""
        index = self._kind.open(self._dimension, self._folder, self._model_id, str(installation), self._options)
        self._lines = index.folder / LINES
        if index.watermark == 0 or (mark := self._mark(index.watermark)) is None:
            index.close()
            return None
        return index, Line(index.watermark, mark)

    def fresh(self, installation: UUID) -> FollowedIndex:
        """An empty index; see `IndexStore.fresh`."""
        index = self._kind(
            self._dimension, self._folder, self._options, model_id=self._model_id, installation=str(installation)
        )
        self._lines = index.folder / LINES
        try:
            # The snapshots too, not only their lines: a line of the same number may be noted before the next snapshot.
            for path in (*manifests(index.folder), *self._lines.glob("*")):
                path.unlink(missing_ok=True)
        except BaseException:
            index.close()
            raise
        return index

    def stands(self, line: Line) -> None:
        """Note a line; see `IndexStore.stands`."""
        self._lines.mkdir(parents=True, exist_ok=True)
        write_atomically(self._path(line.sequence), line.mark.encode())
        for old in sorted(self._lines.glob("*.txt"))[:-KEPT_LINES]:
            old.unlink(missing_ok=True)

    def _mark(self, sequence: int) -> str | None:
        try:
            return self._path(sequence).read_bytes().decode("utf-8", "replace")
        except OSError:
            return None

    def _path(self, sequence: int) -> Path:
        return self._lines / f"{sequence:020d}.txt"
