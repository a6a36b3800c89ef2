"""A process among the others: it tells how clean its files are, and learns it of theirs."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from service.database.engine import Database
from service.errors import UnavailableError
from service.processes.repository import ProcessRepository
from service.tasks import ended

logger = logging.getLogger(__name__)

BEAT_S = 5.0
"""Between two signs of life."""
LOST_S = 30.0
"""How long without one a process is taken for dead."""
LOOK_S = 0.05
"""Between two looks at how clean the own files are; it takes no question to the database."""


@dataclass(frozen=True, slots=True)
class Cleanliness:
    """What deletions have come to in a process.

    Attributes:
        clean: Nothing that was deleted by this change is in the files of its index.
        deleted: The last change known to it that deleted anything.
    """

    clean: int
    deleted: int


class Presence:
    """The presence of a process, for as long as it is started.

    Args:
        database: The truth.
        process_id: The process.
        name: Where it runs, for people.
        cleanliness: Asked now and then, how clean its files are.
    """

    def __init__(self, database: Database, process_id: UUID, name: str, cleanliness: Callable[[], Cleanliness]) -> None:
        self._database = database
        self._process_id = process_id
        self._name = name
        self._cleanliness = cleanliness
        self._told = -1
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Appear, and stay in the background.

        Raises:
            UnavailableError: The database does not answer.
        """
        await self._tell(self._cleanliness())
        self._task = asyncio.create_task(self._stay(), name="presence")

    async def stop(self) -> None:
        """Leave."""
        if self._task is None:
            return
        await ended(self._task)
        self._task = None
        try:
            async with self._database.transaction() as session:
                await ProcessRepository(session).leave(self._process_id)
        except UnavailableError as error:
            logger.warning("The other processes take this one for dead in a moment: %s", error.detail)

    async def _stay(self) -> None:
        told_at = time.monotonic()
        while True:
            await asyncio.sleep(LOOK_S)
            now = self._cleanliness()
            # others wait for what was deleted to be gone, and for nothing else
            waited_for = self._told < now.deleted <= now.clean
            if not waited_for and time.monotonic() - told_at < BEAT_S:
                continue
            told_at = time.monotonic()
            try:
                await self._tell(now)
            except UnavailableError as error:
                logger.warning("The other processes do not hear of this one: %s", error.detail)
                await asyncio.sleep(BEAT_S)

    async def _tell(self, now: Cleanliness) -> None:
        async with self._database.transaction() as session:
            processes = ProcessRepository(session)
            await processes.appear(self._process_id, self._name, now.clean)
            await processes.forget(timedelta(seconds=LOST_S))
        self._told = now.clean
