"""The folder of an index: one process at a time, and nothing in it for longer than it is needed."""

import fcntl
import logging
import os
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

from index.segments.files import UNFINISHED, SnapshotError, StorageError
from index.segments.snapshots import SEGMENTS, SNAPSHOTS, Identity, IndexSnapshot, manifests, read_snapshot

logger = logging.getLogger(__name__)

KEPT_SNAPSHOTS: Final = 2
_LOCK: Final = "lock"


class OwnedFolder:
    """A folder that belongs to this process until it is released or the process ends, however it ends.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock: int | None = lock

    def release(self) -> None:
        """Let the next process have the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def claim_folder(root: Path) -> OwnedFolder:
    """Take the first numbered subfolder (0, 1, 2 ...) of a folder that no process owns.

    So several processes of one machine may be given one folder, each has its own files in it, and each finds after a
    restart what it or another has left.

    Raises:
        StorageError: The folder cannot be made or written to.
    """
    number = 0
    try:
        while (owned := _claim(root / str(number))) is None:
            number += 1
    except OSError as error:
        raise StorageError(f"the index cannot keep its files in {root}: {error.strerror}") from error
    return owned


def _claim(path: Path) -> OwnedFolder | None:
    path.mkdir(parents=True, exist_ok=True)
    lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # flock and not POSIX locks: those are lost when the process closes any descriptor of the file
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException as error:
        os.close(lock)
        if isinstance(error, BlockingIOError):
            return None
        raise
    return OwnedFolder(path, lock)


def has_left_neighbours(own: Path) -> bool:
    """Whether a numbered folder beside one's own holds anything though no process owns it.

    Raises:
        StorageError: One of them cannot be looked at.
    """
    for path in _neighbours(own):
        try:
            if any(entry.is_dir() for entry in path.iterdir()) and (owned := _claim(path)) is not None:
                owned.release()
                return True
        except OSError as error:
            raise StorageError(f"{path} cannot be looked at: {error.strerror}") from error
    return False


def clear_neighbours(own: Path) -> None:
    """Empty the numbered folders beside one's own that no process owns.

    Raises:
        StorageError: One of them cannot be emptied.
    """
    for path in _neighbours(own):
        try:
            if (owned := _claim(path)) is None:
                continue
            try:
                # snapshots before segments: at no time does one name what is gone
                for entry in sorted(path.iterdir(), reverse=True):
                    if entry.is_dir():
                        shutil.rmtree(entry)
            finally:
                owned.release()
        except OSError as error:
            raise StorageError(f"{path}, which no process uses, cannot be emptied: {error.strerror}") from error


def _neighbours(own: Path) -> list[Path]:
    return sorted(path for path in own.parent.iterdir() if path != own and path.name.isdigit())


def kept_snapshots(folder: Path, identity: Identity, number: int = KEPT_SNAPSHOTS) -> dict[Path, IndexSnapshot]:
    """The snapshots that stay when others are written: the newest of an identity that are whole, newest first."""
    kept: dict[Path, IndexSnapshot] = {}
    for path in manifests(folder):
        with suppress(SnapshotError):
            snapshot = read_snapshot(path)
            if snapshot.identity == identity and len(kept) < number:
                kept[path] = snapshot
    return kept


def collect_garbage(
    folder: Path, identity: Identity, living: Collection[str], kept_number: int = KEPT_SNAPSHOTS
) -> list[str]:
    """Remove what is no longer needed, and what was left unfinished by a process that died.

    Kept are the newest whole snapshots of this identity, their segments and the living ones. As long as there is
    no snapshot of this identity, all others and their segments are kept. Only the folder's owner may call this, and not
    beside `write_segment` or `write_snapshot`. What cannot be removed is left for the next time, with a warning.

    Args:
        folder: The index's folder.
        identity: Model, installation and dimension of the index.
        living: Ids of segments in use.
        kept_number: How many snapshots are kept.

    Returns:
        Names of what was removed.
    """
    kept = kept_snapshots(folder, identity, kept_number)
    named = set(living).union(*(snapshot.segment_ids() for snapshot in kept.values()))
    garbage = [*(folder / SEGMENTS).glob(f"{UNFINISHED}*"), *(folder / SNAPSHOTS).glob(f"{UNFINISHED}*")]
    if kept:
        # manifests before segments: at no time does one name what is gone
        garbage += [path for path in manifests(folder) if path not in kept]
        garbage += [path for path in (folder / SEGMENTS).glob("*") if path.name not in named]
    return [path.name for path in dict.fromkeys(garbage) if _remove(path)]


def _remove(path: Path) -> bool:
    try:
        if path.is_dir():
            # under another name first, so that a segment half removed is none
            unfinished = path.with_name(f"{UNFINISHED}{path.name.removeprefix(UNFINISHED)}")
            path.rename(unfinished)
            shutil.rmtree(unfinished)
        else:
            path.unlink()
    except OSError as error:
        logger.warning("%s is no longer needed and cannot be removed: %s", path, error.strerror)
        return False
    return True
