"""Keeping the change log as long as followers need it, and no longer."""

import asyncio
import logging
from datetime import timedelta

from service.change_log_repository import ChangeLogRepository
from service.database.engine import Database
from service.errors import UnavailableError
from service.tasks import ended

logger = logging.getLogger(__name__)

PERIOD_S = 3600.0
TRIMMED_AT_ONCE = 10_000
"""Lines deleted in one transaction."""


class ChangeLogKeeper:
    """Trims the change log once an hour, in every process; one of them finds something to do.

    Args:
        database: The truth.
        keep: How long lines are kept. A follower that was away for longer builds its index anew.
    """

    def __init__(self, database: Database, keep: timedelta) -> None:
        self._database = database
        self._keep = keep
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in the background."""
        self._task = asyncio.create_task(self._work(), name="change log keeper")

    async def stop(self) -> None:
        """End; what is being deleted stays."""
        if self._task is not None:
            await ended(self._task)
            self._task = None

    async def trim(self) -> int:
        """Trim the log now.

        Returns:
            How many lines were deleted.

        Raises:
            UnavailableError: The database does not answer.
        """
        total = 0
        while True:
            async with self._database.transaction() as session:
                trimmed = await ChangeLogRepository(session).trim(self._keep, TRIMMED_AT_ONCE)
            total += trimmed
            if trimmed < TRIMMED_AT_ONCE:
                return total

    async def _work(self) -> None:
        while True:
            try:
                if trimmed := await self.trim():
                    logger.info("%d lines of the change log were older than %s and are gone", trimmed, self._keep)
            except UnavailableError as error:
                logger.warning("The change log could not be trimmed: %s", error.detail)
            except Exception:
                logger.exception("The change log could not be trimmed")
            await asyncio.sleep(PERIOD_S)
