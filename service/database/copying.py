"""Rows by COPY in PostgreSQL's binary format: as they come from the server, several times faster than by a cursor.

The format: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
"""

from collections.abc import AsyncGenerator
from typing import Any

import psycopg
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from service.database.engine import RETRY_AFTER_S
from service.errors import UnavailableError

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"


async def copied_rows(session: AsyncSession, query: Select[*tuple[Any, ...]]) -> AsyncGenerator[bytes, None]:
    """Each row of a query, in its transaction, as the binary format writes it.

    A row is the number of its columns in 16 bits, and for each its length in 32 and its bytes, all big-endian. Whoever
    may leave before the end closes the generator (`contextlib.aclosing`).

    Args:
        session: Where the query runs.
        query: The query.

    Raises:
        UnavailableError: The database is gone.
    """
    connection = await session.connection()
    statement = query.compile(dialect=connection.dialect)
    raw: Any = (await connection.get_raw_connection()).driver_connection
    try:
        async with (
            raw.cursor() as cursor,
            cursor.copy(f"COPY ({statement}) TO STDOUT (FORMAT BINARY)", statement.params) as copy,
        ):
            async for message in copy:  # the protocol has one message for each row
                row = bytes(message).removeprefix(_HEADER)
                if row != _TRAILER and row:
                    yield row
    except BaseException as error:
        # A COPY that was left half way takes nothing else, not even a ROLLBACK: the connection goes, not to the pool.
        await raw.close()
        await session.invalidate()
        if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            raise UnavailableError("The database does not answer.", retry_after_s=RETRY_AFTER_S) from error
        raise
