"""The follower: keeps this process's vector index equal to the truth. It is the only way into the index.

It starts from what an earlier process left and reads the change log on from there. Where that cannot be, it builds the
index from every row, in one snapshot of the database. The log is the message: `wake` and polling only say when to look.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import TypeVar

from index.contract import VectorIndex
from service.database.engine import Database
from service.errors import UnavailableError
from service.follower_duties import ReconcileDuty, Rhythm, SnapshotDuty
from service.follower_index import FollowerIndex
from service.follower_status import FollowerStatus
from service.index_store import IndexStore
from service.lent_index import RetiredError
from service.tasks import ended

logger = logging.getLogger(__name__)

LONGEST_PAUSE_S = 10.0
"""Longest pause between two attempts while something is wrong."""

Answer = TypeVar("Answer")


class Follower:
    """Applies the change log to an index, in the background, for one model.

    An outage of the database leaves the index as it is: it goes on answering, `lag_s` grows, and the follower catches
    up when the database is back. A row that the index refuses is never stepped over: `ready` is false until it is
    applied. An index that is known to be wrong answers nothing: where the log is not the one that it was read from, or
    where the index holds something else than the database, there is none until a new one is whole.

    Args:
        database: The truth.
        store: Makes the index. Nobody else may write to what it made.
        model_id: The model whose vectors are followed; others never get into the index.
        rhythm: How often what is done.
    """

    def __init__(self, database: Database, store: IndexStore, model_id: str, rhythm: Rhythm) -> None:
        self._followed = FollowerIndex(database, store, model_id)
        self._rhythm = rhythm
        self._snapshots = SnapshotDuty(self._followed, store, rhythm)
        self._reconciling = ReconcileDuty(self._followed, rhythm)
        self._task: asyncio.Task[None] | None = None
        self._on_duty: dict[SnapshotDuty | ReconcileDuty, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        self._refused = False
        self._last_error: str | None = None

    @property
    def index(self) -> VectorIndex:
        """The index, for what takes a moment, such as its stats. Whoever searches uses `ask`.

        Raises:
            UnavailableError: There is none, because it is still being built.
        """
        return self._followed.lend().index

    @property
    def loaded(self) -> bool:
        """Whether there is an index."""
        return self._followed.whole

    @property
    def ready(self) -> bool:
        """Whether there is an index and every row so far could be applied."""
        return self.loaded and not self._refused

    @property
    def sequence(self) -> int:
        """Number of the last change applied; 0 where there is no index."""
        return self._followed.line.sequence

    @property
    def committed(self) -> int:
        """Greatest change that this process is known to have committed since the index was built; 0 before one."""
        return self._followed.committed

    @property
    def head(self) -> int:
        """Greatest number of the change log when it was last seen."""
        return self._followed.head

    @property
    def crops_read(self) -> int:
        """How many crops have been read for the index that is being built, or were for the last one."""
        return self._followed.crops_read

    @property
    def deleted_sequence(self) -> int:
        """Number of the last change applied that deleted anything; 0 where there is no index."""
        return self._followed.lend().index.deleted_at if self.loaded else 0

    @property
    def clean_sequence(self) -> int:
        """Nothing that was deleted by this change is in the files of the index; 0 where there is no index."""
        sequence = self.sequence  # first: what is applied meanwhile makes less of it clean, not more
        if not self.loaded:
            return 0
        index = self._followed.lend().index
        return sequence if index.purged_at >= index.deleted_at else max(0, min(sequence, index.purged_at))

    @property
    def lag_s(self) -> float:
        """Seconds since the index was last known to hold everything committed; infinite before the first time."""
        return time.monotonic() - self._followed.level_at

    @property
    def last_error(self) -> str | None:
        """Why the last attempt failed; None where it did not."""
        return self._last_error

    def status(self) -> FollowerStatus:
        """How things stand."""
        return FollowerStatus(
            sequence=self.sequence,
            lag_changes=max(0, self.head - self.sequence),
            lag_s=self.lag_s,
            doubt=self._followed.doubt,
            clean_sequence=self.clean_sequence,
            files_problem=self._followed.lend().index.problem if self.loaded else None,
            snapshot_sequence=self._snapshots.line.sequence,
            snapshot_age_s=_age(self._snapshots.made_at),
            snapshot_problem=self._snapshots.problem,
            reconciled_age_s=_age(self._reconciling.done_at),
            drift=self._reconciling.drift,
            rebuild=self._followed.rebuild,
        )

    async def ask(self, question: Callable[[VectorIndex], Answer]) -> Answer:
        """Put a question to the index, outside the event loop.

        Raises:
            UnavailableError: There is no index, or it turned out to be wrong meanwhile.
        """
        lent = self._followed.lend()
        with contextlib.suppress(RetiredError):
            answer = await asyncio.to_thread(lent.ask, question)
            if self._followed.is_lent(lent):
                return answer
        raise UnavailableError("The index was found to be wrong and is built anew.", retry_after_s=1)

    async def start(self) -> None:
        """Bring the index level with the database and go on following in the background.

        Raises:
            UnavailableError: The database does not answer.
            VectorError: A stored vector is broken or the index refuses it.
        """
        try:
            if not self.loaded:
                await self._followed.open()
                self._snapshots.line = self._followed.line
            await self._followed.level()
        except BaseException:
            await self._followed.close()
            raise
        self._task = asyncio.create_task(self._follow(), name="follower")

    async def stop(self) -> None:
        """Stop following; the index stays as it is. A step or a snapshot that was begun is finished first."""
        if self._task is not None:
            await ended(self._task)
            if comparing := self._on_duty.pop(self._reconciling, None):
                await ended(comparing)
            if keeping := self._on_duty.pop(self._snapshots, None):
                await asyncio.wait([keeping])  # a snapshot begun is made, and its line noted
            self._task = None

    async def close(self) -> None:
        """Stop following, make a last snapshot and let go of the index, once no search uses it any longer."""
        await self.stop()
        await self._snapshots.finish()
        await self._followed.close()

    def note_commit(self, sequence: int) -> None:
        """Look at the log now, because this process has just committed.

        Args:
            sequence: Number of the last change committed. This process's searches wait for it, so that a client which
                talks to one replica reads its own writes.
        """
        self._followed.note_commit(sequence)
        self.wake()

    def wake(self) -> None:
        """Look at the log now."""
        self._woken.set()

    async def wait_for(self, sequence: int, timeout_s: float) -> bool:
        """Wait until the index has a change.

        Args:
            sequence: The change's number.
            timeout_s: How long to wait at most.

        Returns:
            Whether it has it.
        """
        if self.sequence >= sequence:
            return True
        self.wake()
        moved = self._followed.moved
        try:
            async with asyncio.timeout(timeout_s), moved:
                await moved.wait_for(lambda: self.sequence >= sequence)
        except TimeoutError:
            return False
        return True

    def withdraw(self, reason: str) -> None:
        """Lend the index no more, and build another one from the database."""
        self._followed.withdraw(reason)
        self.wake()

    async def reconcile(self) -> None:
        """Compare the index with the database now, and not only when it is time to."""
        await self._reconciling.work()
        self.wake()

    async def _follow(self) -> None:
        pause_s = self._rhythm.poll_s
        while True:
            try:
                await self._followed.level()
                self._go_on_duty()
            except UnavailableError as error:
                self._note(error.detail, refused=self._refused)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            except Exception as error:  # noqa: BLE001 - whatever it is, following must not end silently
                self._note(f"{type(error).__name__}: {error}", refused=True)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                self._note(None, refused=False)
                pause_s = self._rhythm.poll_s
            # Not wait_for: before Python 3.12 it loses a cancellation that comes in the moment of waking.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._woken.wait()
            self._woken.clear()

    def _note(self, problem: str | None, *, refused: bool) -> None:
        if problem is not None and problem != self._last_error:
            logger.error("The index cannot follow the database at change %d: %s", self.sequence, problem)
        if problem is None and self._last_error is not None:
            logger.info("The index follows the database again.")
        self._last_error, self._refused = problem, refused

    def _go_on_duty(self) -> None:
        """Begin what is due, beside following, and nothing twice at once."""
        for duty in (self._snapshots, self._reconciling):
            running = self._on_duty.get(duty)
            if (running is None or running.done()) and duty.due:
                self._on_duty[duty] = asyncio.create_task(duty.work())


def _age(at: float | None) -> float | None:
    return None if at is None else time.monotonic() - at
