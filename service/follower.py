"""The follower: keeps this process's vector index equal to the truth. It is the only way into the index.

It loads every crop in one snapshot of the database, then reads the change log on from the number that the snapshot had
reached. The log is the message: `wake` and polling only say when to look.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterable
from uuid import UUID

from index.contract import Sighting, VectorIndex
from service.database.engine import Database
from service.errors import UnavailableError
from service.follower_repository import FollowerRepository

logger = logging.getLogger(__name__)

LOAD_BATCH = 4096
"""Crops per step of the first load."""
CHANGES_BATCH = 1024
"""Lines of the change log per step."""
LONGEST_PAUSE_S = 10.0
"""Longest pause between two attempts while something is wrong."""
LOAD_RETRY_AFTER_S = 5
"""When to ask again for an index that is being loaded."""


class Follower:
    """Applies the change log to an index, in the background, for one model.

    An outage of the database leaves the index as it is: it goes on answering, `lag_s` grows, and the follower catches
    up when the database is back. A row that the index refuses is never stepped over: `ready` is false until it is
    applied. Where the log goes back, because the database was restored from a backup, the index is of a history that
    has not been: it is dropped, and there is none until a new one is whole.

    Args:
        database: The truth.
        make_index: Makes an empty index. Nobody else may write to what it made.
        model_id: The model whose vectors are followed; others never get into the index.
        poll_s: Seconds between two looks at the log when nothing wakes it.
    """

    def __init__(self, database: Database, make_index: Callable[[], VectorIndex], model_id: str, poll_s: float) -> None:
        self._database = database
        self._make_index = make_index
        self._index: VectorIndex | None = None
        self._model_id = model_id
        self._poll_s = poll_s
        self._task: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._moved = asyncio.Condition()
        self._refused = False
        self._sequence = 0
        self._committed = 0
        self._head = 0
        self._level_at = -math.inf
        self._last_error: str | None = None

    @property
    def index(self) -> VectorIndex:
        """The index. It is whole when it can first be had; a search keeps to the one that it began with.

        Raises:
            UnavailableError: There is none, because it is still being loaded.
        """
        if self._index is None:
            raise UnavailableError("The index is not loaded from the database yet.", retry_after_s=LOAD_RETRY_AFTER_S)
        return self._index

    @property
    def loaded(self) -> bool:
        """Whether there is an index."""
        return self._index is not None

    @property
    def ready(self) -> bool:
        """Whether the index was loaded and every row so far could be applied."""
        return self.loaded and not self._refused

    @property
    def sequence(self) -> int:
        """Number of the last change applied; 0 where there is no index."""
        return self._sequence

    @property
    def committed(self) -> int:
        """Greatest change that this process is known to have committed since the index was loaded; 0 before one."""
        return self._committed

    @property
    def head(self) -> int:
        """Greatest number of the change log when it was last seen."""
        return self._head

    @property
    def lag_s(self) -> float:
        """Seconds since the index was last known to hold everything committed; infinite before the first load."""
        return time.monotonic() - self._level_at

    @property
    def last_error(self) -> str | None:
        """Why the last attempt failed; None where it did not."""
        return self._last_error

    async def start(self) -> None:
        """Load the index from the database and go on following in the background.

        Raises:
            UnavailableError: The database does not answer.
            VectorError: A stored vector is broken or the index refuses it.
        """
        await self._load()
        self._task = asyncio.create_task(self._follow(), name="follower")

    async def stop(self) -> None:
        """Stop following; the index stays as it is. A step that is being applied is finished first."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def note_commit(self, sequence: int) -> None:
        """Look at the log now, because this process has just committed.

        Args:
            sequence: Number of the last change committed. This process's searches wait for it, so that a client which
                talks to one replica reads its own writes.
        """
        self._committed = max(self._committed, sequence)
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
        if self._sequence >= sequence:
            return True
        self.wake()
        try:
            async with asyncio.timeout(timeout_s), self._moved:
                await self._moved.wait_for(lambda: self._sequence >= sequence)
        except TimeoutError:
            return False
        return True

    async def _follow(self) -> None:
        pause_s = self._poll_s
        while True:
            try:
                await self._catch_up()
            except UnavailableError as error:
                self._note(error.detail, refused=self._refused)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            except Exception as error:  # noqa: BLE001 - whatever it is, following must not end silently
                self._note(f"{type(error).__name__}: {error}", refused=True)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                self._note(None, refused=False)
                pause_s = self._poll_s
            # Not wait_for: before Python 3.12 it loses a cancellation that comes in the moment of waking.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._woken.wait()
            self._woken.clear()

    def _note(self, problem: str | None, *, refused: bool) -> None:
        if problem is not None and problem != self._last_error:
            logger.error("The index cannot follow the database at change %d: %s", self._sequence, problem)
        if problem is None and self._last_error is not None:
            logger.info("The index follows the database again.")
        self._last_error, self._refused = problem, refused

    async def _load(self) -> None:
        """Fill a new index, in one snapshot of the database. Nobody sees it before it is whole."""
        # The old index goes first: there need not be memory for two. The commits noted so far are in the snapshot to
        # come, or were lost with the history that a restored database has forgotten.
        self._index, self._sequence, self._committed = None, 0, 0
        started = time.monotonic()
        index = self._make_index()
        async with self._database.reading() as session:
            truth = FollowerRepository(session, self._model_id)
            self._head = await truth.head()
            async with contextlib.aclosing(truth.sightings(LOAD_BATCH)) as batches:
                async for batch in batches:
                    await self._apply(index, batch, (), 0)
        await self._apply(index, (), (), self._head)
        self._index, self._level_at = index, started
        await self._advance(self._head)

    async def _catch_up(self) -> None:
        """Apply everything that is in the log."""
        while True:
            started = time.monotonic()
            if self._index is None:
                await self._load()
            index = self.index
            known = max(self._sequence, self._committed)  # read before the snapshot, which therefore has it
            async with self._database.reading() as session:
                changes = await FollowerRepository(session, self._model_id).changes_after(self._sequence, CHANGES_BATCH)
            self._head = changes.head
            if changes.head < known:
                logger.warning(
                    "The change log went back from %d to %d (a restored database): loading anew", known, changes.head
                )
                self._index = None
                continue
            if changes.last > self._sequence:
                await self._apply(index, changes.upserts, changes.deletes, changes.last)
                await self._advance(changes.last)
            if changes.last == changes.head:
                self._level_at = started
                return

    async def _apply(
        self, index: VectorIndex, upserts: Iterable[Sighting], deletes: Iterable[UUID], watermark: int
    ) -> None:
        """Apply one step, outside the event loop. A step once begun is waited for, even by a task that is cancelled."""
        step = asyncio.create_task(asyncio.to_thread(index.apply, upserts, deletes, watermark))
        try:
            await asyncio.shield(step)
        except asyncio.CancelledError:
            await asyncio.wait([step])
            raise

    async def _advance(self, sequence: int) -> None:
        self._sequence = sequence
        async with self._moved:
            self._moved.notify_all()
