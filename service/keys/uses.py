"""When keys were last used, written down now and then so that no request waits for it."""

import asyncio
import logging
from datetime import UTC, datetime
from uuid import UUID

from service.database.engine import Database
from service.errors import UnavailableError
from service.keys.repository import KeyRepository
from service.tasks import ended

PERIOD_S = 60.0
"""Between two writes at least."""

logger = logging.getLogger(__name__)


class UseLog:
    """Collects when keys are used and writes it: the first use at once, the following ones once a minute together.

    Args:
        database: The truth.
        period_s: Seconds between two writes at least.
    """

    def __init__(self, database: Database, period_s: float = PERIOD_S) -> None:
        self._database = database
        self._period_s = period_s
        self._uses: dict[UUID, datetime] = {}
        self._noted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def note(self, key_id: UUID) -> None:
        """A key is being used."""
        self._uses[key_id] = datetime.now(UTC)
        self._noted.set()

    def start(self) -> None:
        """Begin to write, in the background."""
        self._task = asyncio.create_task(self._work(), name="use of keys")

    async def stop(self) -> None:
        """End; what was noted is written."""
        if self._task is not None:
            await ended(self._task)
            self._task = None
        await self._write()

    async def _work(self) -> None:
        while True:
            await self._noted.wait()
            await self._write()
            await asyncio.sleep(self._period_s)

    async def _write(self) -> None:
        """Write what was noted. What could not be written is kept for the next time."""
        uses, self._uses = self._uses, {}
        self._noted.clear()
        if not uses:
            return
        written = False
        try:
            async with self._database.transaction() as session:
                await KeyRepository(session).note_uses(uses)
            written = True
        except UnavailableError as error:
            logger.warning("The last use of %d keys could not be written: %s", len(uses), error.detail)
        except Exception:
            logger.exception("The last use of keys could not be written")
        finally:
            if not written:
                self._uses = uses | self._uses
                self._noted.set()
