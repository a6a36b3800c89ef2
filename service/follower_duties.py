"""What a follower does beside following, now and then: snapshots, purges, and comparing the index with the database."""

import logging
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from index.segments.files import StorageError
from service.errors import UnavailableError
from service.follower_index import FollowerIndex
from service.follower_repository import ORIGIN
from service.follower_status import Drift, Rebuild, disagreements
from service.index_store import IndexStore
from service.lent_index import RetiredError
from service.tasks import finished

logger = logging.getLogger(__name__)

PURGE_PAUSE = 2.0
"""Pause after a purge, in lengths of the purge: however many deletions come, it takes a third of the time at most."""
PURGE_RETRY_S = 10.0
"""Pause after a purge that failed, or did not come to its end."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often a follower does what.

    Attributes:
        poll_s: Seconds between two looks at the log when nothing wakes it.
        snapshot_s: Seconds between two snapshots, where anything changed.
        snapshot_changes: So many changes after a snapshot another is made, however soon.
        reconcile_s: Seconds between two comparisons of what the index holds with what the database holds.
    """

    poll_s: float
    snapshot_s: float
    snapshot_changes: int
    reconcile_s: float


class SnapshotDuty:
    """Makes snapshots and purges what was deleted from the files, and notes the line at which each snapshot stands.

    Attributes:
        line: Where the last one stands.
        made_at: When it was made, by the monotonic clock; None where this process has made none.
        problem: Why the last attempt failed; None where it did not.
    """

    def __init__(self, followed: FollowerIndex, store: IndexStore, rhythm: Rhythm) -> None:
        self._followed = followed
        self._store = store
        self._rhythm = rhythm
        self._tried_at = self._purge_from = self._purge_again_from = -math.inf
        self._built: Rebuild | None = None
        self.line = ORIGIN
        self.made_at: float | None = None
        self.problem: str | None = None

    @property
    def due(self) -> bool:
        """Whether it is time for one."""
        if self._followed.rebuild is not self._built:
            self._built, self.line, self._tried_at = self._followed.rebuild, ORIGIN, -math.inf
        # found to be wrong in this moment, it is not lent, and not worth a snapshot
        if not self._followed.whole:
            return False
        if self._purge_due:
            return True
        if not self._followed.lend().index.snapshot_wanted:
            return False
        if time.monotonic() - self._tried_at >= self._rhythm.snapshot_s:
            return True
        behind = self._followed.line.sequence - self.line.sequence
        return self.problem is None and behind >= self._rhythm.snapshot_changes

    @property
    def purge_wanted(self) -> bool:
        """Whether deleted crops may be in the files."""
        if not self._followed.whole:
            return False
        index = self._followed.lend().index
        return index.purged_at < index.deleted_at

    async def work(self) -> None:
        """Make one, beside searches and following. Where it cannot be made, the index goes on without.

        Where anything was deleted, it is written out of the files; a snapshot is made only if that takes one. Where
        that has just failed, a snapshot is made all the same: a restart begins at it, whatever is left to be purged.
        """
        began, purging = time.monotonic(), self._purge_due
        followed = self._followed
        if not followed.whole:  # found to be wrong since this was due
            return
        if not purging:
            self._tried_at = began
        lent = followed.lend()
        reached = lent.index.watermark
        followed.passed = {followed.line.sequence: followed.line}  # it will stand here or at a later one
        try:
            # noted before as well: a process that ends in between leaves a snapshot that can be used
            await finished(self._store.stands, followed.line)
            sequence = await finished(lent.ask, lambda index: index.purge() if purging else index.snapshot())
            ended = time.monotonic()
            if purging:
                self._purge_from = ended + PURGE_PAUSE * (ended - began)
                if lent.index.purged_at < reached:  # it waits for processes that may be about to start
                    self._purge_again_from = ended + PURGE_RETRY_S
            if sequence is not None and followed.is_lent(lent):
                line = followed.passed[sequence]
                await finished(self._store.stands, line)
                self.line, self.made_at, self._tried_at = line, ended, ended
            if purging or not self.purge_wanted:  # what keeps a purge from its end stays said until it has come to it
                self._note(None)
        except RetiredError:
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the index goes on
            if purging:
                self._purge_again_from = time.monotonic() + PURGE_RETRY_S
            self._note(error)

    async def finish(self) -> None:
        """Purge, and make the last one, where that is wanted; nothing is put off any longer."""
        self._purge_from = -math.inf
        for _ in range(2):  # a purge that fails, or finds nothing in the files, makes no snapshot
            if self._followed.whole and (self._purge_due or self._followed.lend().index.snapshot_wanted):
                await self.work()

    @property
    def _purge_due(self) -> bool:
        return self.purge_wanted and time.monotonic() >= max(self._purge_from, self._purge_again_from)

    def _note(self, error: Exception | None) -> None:
        problem = None if error is None else f"{type(error).__name__}: {error}"
        if problem is not None and problem != self.problem:
            logger.error(
                "No snapshot of the index could be made; it goes on without one: %s",
                problem,
                exc_info=None if isinstance(error, StorageError | OSError) else error,  # a full disk explains itself
            )
        if problem is None and self.problem is not None:
            logger.info("Snapshots of the index are made again.")
        self.problem = problem


class ReconcileDuty:
    """Compares what the index holds with what the database holds, both at the same change.

    Attributes:
        done_at: When it last did, by the monotonic clock; None where it has not.
        drift: The last disagreement found.
    """

    def __init__(self, followed: FollowerIndex, rhythm: Rhythm) -> None:
        self._followed = followed
        self._rhythm = rhythm
        self._tried_at = -math.inf
        self._built: Rebuild | None = None
        self.done_at: float | None = None
        self.drift: Drift | None = None

    @property
    def due(self) -> bool:
        """Whether it is time to; soon after a start from a snapshot, not soon after the index was built."""
        if self._followed.rebuild is not self._built:
            self._built, self._tried_at = self._followed.rebuild, time.monotonic()
        return time.monotonic() - self._tried_at >= self._rhythm.reconcile_s

    async def work(self) -> None:
        """Compare. Where it cannot be done, the next time is soon enough.

        Where the two differ, the index is wrong: it is lent to no search from then on, and a new one is built.
        """
        self._tried_at = time.monotonic()
        try:
            lent, held, truth = await self._followed.compare()
        except UnavailableError as error:
            logger.warning("The index could not be compared with the database: %s", error.detail)
            return
        except Exception:
            logger.exception("The index could not be compared with the database")
            return
        self.done_at = time.monotonic()
        found = disagreements(held.collections, truth)
        if found and self._followed.is_lent(lent):
            self.drift = Drift(datetime.now(UTC), held.watermark, found)
            names = ", ".join(repr(one.collection) for one in found)
            self._followed.withdraw(f"it held something else than the database in {names}")
            for one in found:
                logger.error(
                    "The index is wrong and answers nothing until it is built anew: at change %d it holds %d crops of "
                    "collection %r with fingerprint %016x, the database %d with %016x",
                    held.watermark,
                    one.index.crops,
                    one.collection,
                    one.index.fingerprint,
                    one.database.crops,
                    one.database.fingerprint,
                )
