"""The database itself refuses to change what was written to the audit log."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from service.access import ANYONE
from service.audit.repository import AuditRepository
from service.database.engine import Database


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET purpose = 'another'",
        "UPDATE audit SET purpose = 'another' WHERE false",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "TRUNCATE audit, keys CASCADE",
        "INSERT INTO audit SELECT * FROM audit ON CONFLICT (id) DO UPDATE SET purpose = 'another'",
        "MERGE INTO audit USING (SELECT 1) AS one ON true WHEN MATCHED THEN DELETE",
    ],
)
async def test_an_entry_stays_as_it_is(database: Database, statement: str) -> None:
    async with database.transaction() as session:
        await AuditRepository(session).record(ANYONE, "search_by_image", "default", purpose="first")
    with pytest.raises(DBAPIError, match=r"the audit log is append-only: (UPDATE|DELETE|TRUNCATE) is refused"):
        async with database.transaction() as session:
            await session.execute(text(statement))
    async with database.reading() as session:
        assert (await session.execute(text("SELECT purpose FROM audit"))).scalars().all() == ["first"]
