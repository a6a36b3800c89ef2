"""The one door to PostgreSQL: a pool of connections, transactions, and what a dead database looks like to a caller."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from psycopg import ProgrammingError
from psycopg.conninfo import make_conninfo
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from service.errors import InvalidValueError, UnavailableError

DRIVER = "postgresql+psycopg"
LARGEST_EXACT_INTEGER = 2**53
RETRY_AFTER_S = 2
POOL_TIMEOUT_S = 10.0
TOO_LONG = "A value is too long for the database."
_PROGRAM_LIMIT_EXCEEDED = "54"
UNSTORABLE = "A value cannot be stored: a NUL character, a broken surrogate, NaN, or a number out of range."

# Set for every connection. Times come back in UTC; a client that hangs with the change-log lock in its hands is ended
# before it stops everybody else; a network that swallows packets is noticed in seconds, not in the kernel's two hours.
SESSION_OPTIONS = "-c timezone=UTC -c idle_in_transaction_session_timeout=60s -c lock_timeout=20s"
CONNECTION_DEFAULTS: dict[str, Any] = {"connect_timeout": 5, "keepalives_idle": 30, "tcp_user_timeout": 20_000}

# What the caller is told, by class of SQLSTATE; every other loss of the database has the general sentence.
EXPLANATIONS = {
    "40": "The database could not finish this beside other work; nothing was changed.",
    "53": "The database is out of disk, memory or connections.",
    "55": "The database is busy with other work; nothing was changed.",
    "25": "The database takes no writes at the moment.",
}


def postgres_url(url: str) -> URL:
    """The URL with the driver that the service uses.

    Args:
        url: `postgresql://...` or `postgres://...`, with or without `+psycopg`.

    Raises:
        ValueError: Not the URL of a PostgreSQL database.
    """
    try:
        parsed = make_url(url)
        make_conninfo(**dict.fromkeys(parsed.query, ""))  # refuses names of options that there are not
    except (ArgumentError, ValueError, ProgrammingError):
        # Not in its words: what it takes for a port or an option may be the password.
        raise ValueError(
            "The database URL cannot be read; it looks like postgresql://user:password@host:port/name, with characters "
            "such as / or @ in the password percent-encoded, and takes the options of PostgreSQL after a question mark."
        ) from None
    if parsed.drivername not in {"postgres", "postgresql", DRIVER}:
        raise ValueError(
            f"The database must be PostgreSQL (postgresql://user:password@host/name), not {parsed.drivername}."
        )
    return parsed.set(drivername=DRIVER)


def connection_arguments(url: URL) -> dict[str, Any]:
    """Arguments of every connection that the URL does not set itself."""
    arguments = {name: value for name, value in CONNECTION_DEFAULTS.items() if name not in url.query}
    return {**arguments, "options": f"{SESSION_OPTIONS} {url.query.get('options', '')}".strip()}


def _integer(digits: str) -> int | float:
    """An integer of JSON. Beyond 2^53 it was a float when it was stored (PostgreSQL writes 1e23 as digits)."""
    number = int(digits)
    return number if abs(number) <= LARGEST_EXACT_INTEGER else float(number)


_DECODER = json.JSONDecoder(parse_int=_integer)  # made once: making it takes longer than most texts do


def load_json(text: str | bytes) -> Any:  # noqa: ANN401 - whatever the JSON says
    """What a JSON text of the database says."""
    return _DECODER.decode(text if isinstance(text, str) else text.decode())


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn what the database did into an error of the service; the only place that knows how.

    Raises:
        UnavailableError: The database is gone, full, overloaded, or gave way to another transaction.
        InvalidValueError: A value that no PostgreSQL text, number or index row holds, such as a NUL character.
    """
    try:
        yield
    except PoolTimeoutError as error:
        raise UnavailableError("Every database connection is in use.", retry_after_s=RETRY_AFTER_S) from error
    except (DataError, UnicodeEncodeError) as error:
        raise InvalidValueError(UNSTORABLE) from error
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None) or ""
        if state.startswith(_PROGRAM_LIMIT_EXCEEDED):  # an OperationalError like an outage, but it would never pass
            raise InvalidValueError(TOO_LONG) from error
        if not (
            isinstance(error, OperationalError | InterfaceError)
            or error.connection_invalidated
            or state[:2] in EXPLANATIONS
        ):
            raise
        detail = EXPLANATIONS.get(state[:2], "The database does not answer.")
        raise UnavailableError(detail, retry_after_s=RETRY_AFTER_S) from error


Session = AsyncSession
"""A unit of work: whoever has one hands it on to repositories, which alone speak SQL through it."""


class Database:
    """A pool of connections to one PostgreSQL database. A database that restarts is found again by itself.

    Args:
        url: SQLAlchemy URL of the database.
        pool_size: Connections at most. A request that waits longer than ten seconds for one is answered 503.

    Raises:
        ValueError: The URL is not one of PostgreSQL.
    """

    def __init__(self, url: str, pool_size: int) -> None:
        parsed = postgres_url(url)
        self._engine = create_async_engine(
            parsed,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT_S,
            pool_pre_ping=True,
            json_deserializer=load_json,
            hide_parameters=True,  # a traceback in the log shows the statement that failed, not what it was given
            connect_args=connection_arguments(parsed),
        )
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session whose work is committed at the end of the block, or rolled back where the block raises.

        Raises:
            UnavailableError: The database cannot do it now. If it broke during the commit, the outcome is unknown.
        """
        with translated_errors():
            async with self._sessions.begin() as session:
                yield session

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A read-only session in which every statement sees the same snapshot (REPEATABLE READ).

        Raises:
            UnavailableError: The database cannot do it now.
        """
        with translated_errors():
            async with self._sessions() as session:
                await session.connection(
                    execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
                )
                yield session

    async def ping(self) -> None:
        """Do one round trip.

        Raises:
            UnavailableError: The database does not answer.
        """
        async with self.reading() as session:
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()
