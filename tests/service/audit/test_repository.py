"""The audit log: every entry as it was recorded."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from uuid_utils.compat import uuid7

from service.audit.repository import AuditRepository
from service.database.engine import Database
from service.database.tables import AuditEntry


async def test_entries_come_back_in_order_and_whole(database: Database) -> None:
    crop_ids = [uuid7() for _ in range(3)][::-1]
    async with database.transaction() as session:
        audit = AuditRepository(session)
        await audit.record("search_by_image", "default", "stolen car 17", {"camera_ids": ["a"], "k": 5}, crop_ids)
        await audit.record("search_by_image", "default", None, {}, [])
    async with database.reading() as session:
        first, second = (await session.scalars(select(AuditEntry).order_by(AuditEntry.id))).all()
    assert (first.action, first.collection, first.purpose) == ("search_by_image", "default", "stolen car 17")
    assert (first.filter, first.crop_ids) == ({"camera_ids": ["a"], "k": 5}, crop_ids)
    assert (second.purpose, second.filter, second.crop_ids) == (None, {}, [])
    assert abs(datetime.now(UTC) - first.at) < timedelta(minutes=1)
