"""The index of a follower and the line of the change log at which it stands: opened, caught up, or built anew."""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TypeAlias
from uuid import UUID

from index.contract import IndexStats
from service.database.engine import Database
from service.errors import UnavailableError
from service.follower_repository import ORIGIN, Changes, FollowerRepository, Line, Totals
from service.follower_rows import PackedCrops, sightings
from service.follower_status import Rebuild
from service.index_store import FollowedIndex, IndexStore
from service.lent_index import LentIndex
from service.tasks import finished

logger = logging.getLogger(__name__)

LOAD_BATCH = 4096
"""Crops per step of building: so many that asking for them costs next to nothing beside reading them."""
CHANGES_BATCH = 1024
"""Lines of the change log per step."""
LOAD_RETRY_AFTER_S = 5
"""When to ask again for an index that is being built."""

Lent: TypeAlias = LentIndex[FollowedIndex]


class FollowerIndex:
    """One index after another, of which the last may be lent to searches once it is level with the database.

    Args:
        database: The truth.
        store: Makes the index. Nobody else may write to what it made.
        model_id: The model whose vectors are followed; others never get into the index.

    Attributes:
        line: Where it stands; `ORIGIN` where there is none.
        passed: The lines at which it stood since the last snapshot was begun, by number.
        doubt: Why the index is not the database's, or not known to be; None where it is.
        whole: Whether it was level with the database once and may be searched.
        committed: Greatest change that this process is known to have committed since the index was built.
        head: Greatest number of the change log when it was last seen.
        level_at: When it was last known to hold everything committed, by the monotonic clock.
        rebuild: The last rebuild.
        crops_read: How many crops it has read, or had when it was done.
        moved: Notified whenever the index has reached another line.
    """

    def __init__(self, database: Database, store: IndexStore, model_id: str) -> None:
        self._database = database
        self._store = store
        self._model_id = model_id
        self._lent: Lent | None = None
        self._codecs: dict[Lent, dict[str, str]] = {}
        """What the index that there is was last told of codecs; nothing, before it was told."""
        self._turn = asyncio.Lock()
        self._commits = 0
        self.line = ORIGIN
        self.passed: dict[int, Line] = {}
        self.doubt: str | None = "there is no snapshot to start from"
        self.whole = False
        self.committed = 0
        self.head = 0
        self.level_at = -math.inf
        self.rebuild: Rebuild | None = None
        self.crops_read = 0
        self.moved = asyncio.Condition()

    def lend(self) -> Lent:
        """The index, for searches.

        Raises:
            UnavailableError: There is none, or it is not known to be right.
        """
        if self._lent is None or not self.whole:
            raise UnavailableError("The index is not loaded from the database yet.", retry_after_s=LOAD_RETRY_AFTER_S)
        return self._lent

    def is_lent(self, lent: Lent) -> bool:
        """Whether that is still the index for searches."""
        return self.whole and lent is self._lent

    def withdraw(self, doubt: str) -> None:
        """Lend it no more, because it is wrong; the next `level` builds another one."""
        self.whole, self.doubt = False, doubt

    def note_commit(self, sequence: int) -> None:
        """Take note of a change that this process has committed."""
        self.committed = max(self.committed, sequence)
        self._commits += 1

    async def open(self) -> None:
        """Take up what an earlier process left, if it is of this database and can be used.

        Raises:
            UnavailableError: The database does not answer.
        """
        async with self._database.reading() as session:
            installation = await FollowerRepository(session, self._model_id).installation()

        def opened() -> None:
            if (found := self._store.open(installation)) is not None:
                index, self.line = found
                self._lent, self.doubt = LentIndex(index), None

        await finished(opened)

    async def level(self) -> None:
        """Bring the index to where the database is, and lend it from then on.

        Raises:
            UnavailableError: The database does not answer.
            VectorError: A stored vector is broken or the index refuses it.
        """
        async with self._turn, self._database.reading() as session:
            await self._level(FollowerRepository(session, self._model_id))

    async def compare(self) -> tuple[Lent, IndexStats, dict[str, Totals]]:
        """What the index holds and what the database holds, both at the same change.

        The database adds up in the snapshot to which the index was brought, while following goes on.

        Returns:
            The index as it was lent, its stats, and the totals of the database.

        Raises:
            UnavailableError: The database does not answer.
            VectorError: A stored vector is broken or the index refuses it.
        """
        async with AsyncExitStack() as stack:
            async with self._turn:  # before the snapshot begins, which otherwise might be behind the index
                session = await stack.enter_async_context(self._database.reading())
                truth = FollowerRepository(session, self._model_id)
                await self._level(truth)
                lent = self.lend()
                held = await finished(lent.ask, lambda index: index.stats())
            return lent, held, await truth.totals()

    async def close(self) -> None:
        """Let go of the index, once no search uses it any longer."""
        self.whole = False
        if self._lent is not None:
            lent, self._lent = self._lent, None
            await finished(lent.retire)

    async def _level(self, truth: FollowerRepository) -> None:
        started = time.monotonic()
        known, commits = max(self.line.sequence, self.committed), self._commits  # the snapshot, still to come, has them
        self.head = await truth.head()
        reason = self.doubt or await self._break_in(truth, known)
        if reason is None:
            await self._catch_up(truth)
        else:
            await self._build(truth, reason)
            if self._commits == commits:
                # all are in the snapshot, or were lost with the history that a restored database has forgotten
                self.committed = 0
        self.level_at, self.whole = started, self.doubt is None
        await self._announce()

    async def _announce(self) -> None:
        async with self.moved:
            self.moved.notify_all()

    async def _break_in(self, truth: FollowerRepository, known: int) -> str | None:
        """Why the index cannot go on from where it stands; None where it can."""
        if self.head < known:
            return f"the change log went back from {known} to {self.head}, as that of a restored database does"
        if self.line == ORIGIN:
            first = await truth.first()
            return None if first in {None, 1} else "the change log does not reach back to its beginning"
        found = await truth.line(self.line.sequence)
        if found is None:
            return f"the change log does not reach back to change {self.line.sequence}"
        if found != self.line:
            return f"change {self.line.sequence} is another one than was applied: the database was restored"
        return None

    async def _catch_up(self, truth: FollowerRepository) -> None:
        lent = self._lent
        assert lent is not None  # noqa: S101 - where there is none there is a doubt, and it is built
        await self._take_codecs(truth, lent)
        while (changes := await truth.changes_after(self.line.sequence, CHANGES_BATCH)) is not None:
            self.passed[changes.last.sequence] = changes.last  # now, as a snapshot may stand there in a moment
            await finished(lent.ask, self._applied(changes))
            await self._announce()

    def _applied(self, changes: Changes) -> Callable[[FollowedIndex], None]:
        def apply(index: FollowedIndex) -> None:
            upserts = [] if changes.crops is None else sightings(changes.crops, index.dimension)
            index.apply(upserts, changes.deletes, changes.last.sequence, changes.expired)
            self.line = changes.last  # here, so that it is noted though nobody waits for the thread any longer

        return apply

    async def _build(self, truth: FollowerRepository, reason: str) -> None:
        # The old index goes first: there need not be memory for two. The doubt stays until the new one is whole.
        self.whole, self.doubt, self.line = False, reason, ORIGIN
        await self.close()
        logger.info("The index is built from the database, because %s.", reason)
        started = time.monotonic()
        lent = await self._make(await truth.installation())
        await self._take_codecs(truth, lent)
        async with contextlib.aclosing(truth.crops(LOAD_BATCH)) as batches:
            crops = await self._load(lent, batches)
        line = await truth.line(self.head) or ORIGIN
        await finished(lent.ask, lambda index: index.apply((), (), line.sequence))
        self.line, self.doubt, self.passed = line, None, {line.sequence: line}
        self.rebuild = Rebuild(reason, datetime.now(UTC), time.monotonic() - started, crops)
        logger.info("The index is built: %d crops in %.1f s, at change %d.", crops, self.rebuild.seconds, self.head)

    async def _make(self, installation: UUID) -> Lent:
        def made() -> Lent:  # kept by the thread, so that it is closed though nobody waits for the thread
            self._lent = lent = LentIndex(self._store.fresh(installation))
            return lent

        return await finished(made)

    async def _load(self, lent: Lent, batches: AsyncIterator[PackedCrops]) -> int:
        """Apply crops to an index, a batch in a thread while the next is read; how many there were."""
        self.crops_read = 0
        applying: asyncio.Task[None] | None = None
        try:
            async for some in batches:
                if applying is not None:
                    await applying
                applying = asyncio.create_task(finished(lent.ask, _loaded(some)))
                self.crops_read += len(some)
            if applying is not None:
                await applying
        finally:
            if applying is not None:
                await asyncio.wait([applying])
        return self.crops_read

    async def _take_codecs(self, truth: FollowerRepository, lent: Lent) -> None:
        """Give each collection the codec that it has in the database: its own, or the default again."""
        wanted = await truth.codecs()
        if wanted == self._codecs.get(lent):
            return
        default = self._store.default_codec

        def choose(index: FollowedIndex) -> None:
            held = {name for name, one in index.stats().collections.items() if one.codec != default}
            for name in held | self._codecs.get(lent, {}).keys() | wanted.keys():
                index.set_codec(name, wanted.get(name, default))

        await finished(lent.ask, choose)
        self._codecs = {lent: wanted}


def _loaded(crops: PackedCrops) -> Callable[[FollowedIndex], None]:
    return lambda index: index.apply(sightings(crops, index.dimension), (), 0)
