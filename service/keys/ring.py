"""The keys that are in use, so that a request need not ask the database for its own."""

import asyncio
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from service.database.engine import Database
from service.errors import UnauthorizedError
from service.keys.records import KeyRecord
from service.keys.repository import KeyRepository
from service.keys.secret import read_key
from service.tasks import ended

HELD_S = 5.0
"""How long a key is taken for what it was when it was looked up: as long may a revocation take to reach a process."""
_NO_DIGEST = bytes(32)
_ADVICE = "Send one in the header X-API-Key; an operator makes it with clip-senet keys create or POST /keys."


@dataclass(frozen=True, slots=True)
class _Held:
    record: KeyRecord
    asked_at: float


class KeyRing:
    """Verifies keys that are shown.

    One look-up runs at a time and takes along whatever is asked for meanwhile. So requests with keys that do not exist,
    however many, cost the other requests one connection of the pool, and nothing is remembered of them.

    Args:
        database: The truth.
        clock: Seconds that only ever go forward.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._held: dict[str, _Held] = {}
        self._wanted: dict[str, asyncio.Future[KeyRecord | None]] = {}
        self._lookup: asyncio.Task[None] | None = None

    async def verify(self, text: str | None) -> KeyRecord:
        """The key of that text.

        Raises:
            UnauthorizedError: It is none, or one that is unknown, expired or revoked.
            UnavailableError: The database does not answer.
        """
        shown = None if text is None else read_key(text)
        if shown is None:
            raise UnauthorizedError(f"{'There is no key' if text is None else 'That is no key'}. {_ADVICE}")
        held = self._held.get(shown.prefix)
        fresh = held is not None and self._clock() - held.asked_at < HELD_S
        record = held.record if held is not None and fresh else await self._look_up(shown.prefix)
        # In constant time, so that nothing of a digest can be learnt by trying (hmac.compare_digest).
        same = hmac.compare_digest(shown.digest, _NO_DIGEST if record is None else record.secret_sha256)
        if record is None or not same:
            raise UnauthorizedError(f"The key is unknown. {_ADVICE}")
        if (state := record.state(datetime.now(UTC))) != "active":
            raise UnauthorizedError(f"The key csk_{record.prefix} has {_ENDED[state]}. {_ADVICE}")
        return record

    def forget(self, prefix: str) -> None:
        """Look a key up anew when it is shown again, because it was changed."""
        self._held.pop(prefix, None)

    async def close(self) -> None:
        """Give up the look-up that is under way."""
        if self._lookup is not None:
            await ended(self._lookup)

    async def _look_up(self, prefix: str) -> KeyRecord | None:
        wanted = self._wanted.setdefault(prefix, asyncio.get_running_loop().create_future())
        if self._lookup is None or self._lookup.done():
            self._lookup = asyncio.create_task(self._work(), name="key look-up")
        return await asyncio.shield(wanted)

    async def _work(self) -> None:
        while self._wanted:
            wanted, self._wanted = self._wanted, {}
            asked_at = self._clock()  # before the question: what changes meanwhile is not held for longer than HELD_S
            try:
                async with self._database.reading() as session:
                    found = await KeyRepository(session).by_prefix(wanted)
            except Exception as error:  # noqa: BLE001 - whatever it is, each who waits is told
                for waiting in wanted.values():
                    waiting.set_exception(error)
                    waiting.exception()  # looked at: whoever waited may be gone
                continue
            except asyncio.CancelledError:
                for waiting in wanted.values():
                    waiting.cancel()
                raise
            for prefix, waiting in wanted.items():
                self._hold(prefix, found.get(prefix), asked_at)
                waiting.set_result(found.get(prefix))

    def _hold(self, prefix: str, record: KeyRecord | None, asked_at: float) -> None:
        if record is None:
            self._held.pop(prefix, None)
        else:
            self._held[prefix] = _Held(record, asked_at)


_ENDED = {"expired": "expired", "revoked": "been revoked"}
