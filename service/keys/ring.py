"""The keys that are in use, so that a request need not ask the database for its own."""

import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from service.batches import Batches
from service.database.engine import Database
from service.errors import UnauthorizedError
from service.keys.records import KeyRecord
from service.keys.repository import KeyRepository
from service.keys.secret import read_key

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

    Keys are looked up in batches. So requests with keys that do not exist, however many, cost the other requests one
    connection of the pool, and nothing is remembered of them.

    Args:
        database: The truth.
        clock: Seconds that only ever go forward.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._held: dict[str, _Held] = {}
        self._lookups = Batches(self._look_up, "key look-up")

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
        record = held.record if held is not None and fresh else await self._lookups.ask(shown.prefix)
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
        await self._lookups.close()

    async def _look_up(self, prefixes: Sequence[str]) -> Sequence[KeyRecord | None]:
        asked_at = self._clock()  # before the question: what changes meanwhile is not held for longer than HELD_S
        async with self._database.reading() as session:
            found = await KeyRepository(session).by_prefix(set(prefixes))
        for prefix in prefixes:
            if record := found.get(prefix):
                self._held[prefix] = _Held(record, asked_at)
        return [found.get(prefix) for prefix in prefixes]


_ENDED = {"expired": "expired", "revoked": "been revoked"}
