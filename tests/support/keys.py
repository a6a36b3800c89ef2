"""Keys for tests, made as the command line makes them: straight in the database."""

from service.access import SCOPES, Caller
from service.database.engine import Database
from service.keys.records import KeyRecord
from service.keys.schemas import NewKey
from service.keys.service import create_key

OPERATOR = Caller(None, "operator", SCOPES)
"""Who makes keys without having one."""


async def made_key(database: Database, *scopes: str, **fields: object) -> tuple[KeyRecord, str]:
    """A key and its text."""
    new = NewKey.model_validate({"name": "patrol", "scopes": scopes or ("admin",), **fields})
    return await create_key(database, OPERATOR, new)


async def header(url: str, *scopes: str, **fields: object) -> dict[str, str]:
    """The header with a new key of the database at a URL."""
    database = Database(url, pool_size=1)
    try:
        _, text = await made_key(database, *scopes, **fields)
    finally:
        await database.close()
    return {"X-API-Key": text}
