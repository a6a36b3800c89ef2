"""The audit log."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DDL, Index, Uuid, event, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from service.database.tables.base import Base


def _ddl(statement: str) -> DDL:
    return DDL(statement)  # type: ignore[no-untyped-call]  # SQLAlchemy gives it no types


_REFUSE_CHANGES = _ddl(
    "CREATE FUNCTION audit_refuse_changes() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only: %% is refused', TG_OP "
    "USING ERRCODE = 'insufficient_privilege'; END $$"
)
_APPEND_ONLY = _ddl(
    "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
    "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_changes()"
)
_FORGET = _ddl("DROP FUNCTION IF EXISTS audit_refuse_changes() CASCADE")


class AuditEntry(Base):
    """Who searched what, when and why. Rows are only ever added: a trigger of the database refuses all else."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("audit_by_time", "at", "id"),
        Index("audit_by_collection", "collection", "at", "id"),
        Index("audit_by_key", "key_id", "at", "id"),
        Index("audit_by_crop", "crop_ids", postgresql_using="gin"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    action: Mapped[str]
    collection: Mapped[str | None]
    purpose: Mapped[str | None]
    filter: Mapped[dict[str, Any]]
    crop_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    key_id: Mapped[UUID | None]
    key_name: Mapped[str | None]
    request_id: Mapped[str | None]


event.listen(AuditEntry.__table__, "after_create", _REFUSE_CHANGES)
event.listen(AuditEntry.__table__, "after_create", _APPEND_ONLY)
event.listen(AuditEntry.__table__, "after_drop", _FORGET)
