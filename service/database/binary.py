"""Rows in PostgreSQL's binary format: bytes come as they are, where the ORM's driver reads them as text in hex."""

from typing import Any

import psycopg
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from service.database.engine import RETRY_AFTER_S
from service.errors import UnavailableError


async def binary_row(session: AsyncSession, query: Select[*tuple[Any, ...]]) -> Any:  # noqa: ANN401 - the query's row
    """The first row of a query's result, in the session's transaction, as a tuple.

    Raises:
        UnavailableError: The database is gone.
    """
    connection = await session.connection()
    statement = query.compile(dialect=connection.dialect)
    raw: Any = (await connection.get_raw_connection()).driver_connection
    try:
        async with raw.cursor(binary=True) as cursor:
            await cursor.execute(str(statement), statement.params)
            return await cursor.fetchone()
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        await session.invalidate()
        raise UnavailableError("The database does not answer.", retry_after_s=RETRY_AFTER_S) from error
