"""The audit log: every entry as it was recorded."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from uuid_utils.compat import uuid7

from service.access import ANYONE, Caller
from service.audit.repository import AuditRepository
from service.database.engine import Database
from service.database.tables import AuditEntry

KEY_ID = uuid7()


async def test_entries_come_back_in_order_and_whole(database: Database) -> None:
    crop_ids = [uuid7() for _ in range(3)][::-1]
    async with database.transaction() as session:
        audit = AuditRepository(session)
        await audit.record(
            Caller(KEY_ID, "patrol", frozenset({"search"}), request_id="r-1"),
            "search_by_image",
            "default",
            purpose="stolen car 17",
            filter={"camera_ids": ["a"], "k": 5},
            crop_ids=crop_ids,
        )
        await audit.record(ANYONE, "list_keys", None)
    async with database.reading() as session:
        first, second = (await session.scalars(select(AuditEntry).order_by(AuditEntry.id))).all()
    assert (first.action, first.collection, first.purpose) == ("search_by_image", "default", "stolen car 17")
    assert (first.filter, first.crop_ids) == ({"camera_ids": ["a"], "k": 5}, crop_ids)
    assert (first.key_id, first.key_name, first.request_id) == (KEY_ID, "patrol", "r-1")
    assert (second.collection, second.purpose, second.filter, second.crop_ids) == (None, None, {}, [])
    assert (second.key_id, second.key_name, second.request_id) == (None, "anyone", None)
    assert abs(datetime.now(UTC) - first.at) < timedelta(minutes=1)
