"""The audit log."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, Uuid, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from service.database.tables.base import Base


class AuditEntry(Base):
    """Who searched what, when and why. Rows are only ever added."""

    __tablename__ = "audit"
    __table_args__ = (Index("audit_by_time", "at"), Index("audit_by_collection", "collection", "id"))

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
