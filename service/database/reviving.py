"""Looking after the embedded database: it is started again where it has died under the service."""

import asyncio
import logging

from service.database.embedded import EmbeddedPostgres
from service.errors import UnavailableError
from service.tasks import ended, finished

logger = logging.getLogger(__name__)

PERIOD_S = 2.0


class Reviver:
    """Looks whether the embedded server is there, and starts it again where it is not.

    Nobody else would: it is a process of its own, which the kernel may kill for want of memory while the service lives.

    Args:
        server: The server, started.
        period_s: Seconds between two looks.
    """

    def __init__(self, server: EmbeddedPostgres, period_s: float = PERIOD_S) -> None:
        self._server = server
        self._period_s = period_s
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in the background."""
        self._task = asyncio.create_task(self._work(), name="database reviver")

    async def stop(self) -> None:
        """End; a start under way is waited for."""
        if self._task is not None:
            await ended(self._task)
            self._task = None

    async def _work(self) -> None:
        said = ""
        while True:
            await asyncio.sleep(self._period_s)
            try:
                if await finished(self._server.revive):
                    logger.error("The embedded database had died and was started again; its own log says more.")
                said = ""
            except UnavailableError as error:
                if error.detail != said:
                    logger.error("%s", error.detail)  # noqa: TRY400 - it explains itself
                said = error.detail
            except Exception:
                logger.exception("The embedded database could not be looked after; it is tried again")
