"""Who may come in: the key of a request made a caller."""

from service.access import Caller
from service.database.engine import Database
from service.keys.rates import RateLimits
from service.keys.ring import KeyRing
from service.keys.uses import UseLog


class Gatekeeper:
    """Verifies keys, counts their requests and notes their use.

    Args:
        database: The truth.
    """

    def __init__(self, database: Database) -> None:
        self._ring = KeyRing(database)
        self._rates = RateLimits()
        self._uses = UseLog(database)

    def start(self) -> None:
        """Begin the work in the background."""
        self._uses.start()

    async def stop(self) -> None:
        """End it."""
        await self._ring.close()
        await self._uses.stop()

    async def admit(self, key: str | None) -> Caller:
        """The caller that shows a key.

        Args:
            key: The header X-API-Key; None where there is none.

        Raises:
            UnauthorizedError: No key, or one that is unknown, expired or revoked.
            RateLimitedError: The key has made more requests than it may.
            UnavailableError: The database does not answer.
        """
        record = await self._ring.verify(key)
        self._uses.note(record.id)
        self._rates.take(record.id, record.requests_per_minute)
        return Caller(record.id, record.name, record.scopes, record.collections)

    def forget(self, prefix: str) -> None:
        """A key was changed: look it up anew when it is shown again."""
        self._ring.forget(prefix)
