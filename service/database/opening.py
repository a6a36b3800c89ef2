"""The database that the settings name, started where it is the embedded one, and brought to this release's schema."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from service.database.embedded import EmbeddedPostgres
from service.database.engine import Database
from service.database.migrate import upgrade
from service.database.reviving import Reviver
from service.settings import Settings


@asynccontextmanager
async def opened_database(settings: Settings) -> AsyncIterator[Database]:
    """The database, until the block is left. An embedded one is shared with whoever else has it open.

    Raises:
        UnavailableError: It does not start or answer.
        SchemaError: It does not fit this release.
        ValueError: The URL is none of PostgreSQL.
    """
    async with AsyncExitStack() as stack:
        if settings.database_url is None:
            embedded = EmbeddedPostgres(settings.database_dir)
            url = await asyncio.to_thread(embedded.start)
            stack.push_async_callback(asyncio.to_thread, embedded.stop)
            reviver = Reviver(embedded)
            reviver.start()
            stack.push_async_callback(reviver.stop)
        else:
            url = settings.database_url.get_secret_value()
        await asyncio.to_thread(upgrade, url)
        database = Database(url, settings.database_pool)
        stack.push_async_callback(database.close)
        yield database
