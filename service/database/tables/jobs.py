"""Long work, the crops that it is about, and the processes that it waits for."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from service.database.tables.base import Base


class Job(Base):
    """Work that outlasts a request: any process takes it up, and another one where that process dies.

    `process_id` names the only process that may do it, where it is about one. `run_id` is another one each time that
    somebody takes it up, so that whoever was taken for dead and is not finds out. `run_at` and `run_done` say when that
    was and how much was done then. One that has to wait is taken up again at `retry_at`.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')", name="state"),
        Index("jobs_open", "id", postgresql_where="state IN ('queued', 'running')"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    collection: Mapped[str | None]
    parameters: Mapped[dict[str, Any]]
    state: Mapped[str]
    done: Mapped[int] = mapped_column(BigInteger)
    total: Mapped[int | None] = mapped_column(BigInteger)
    result: Mapped[dict[str, Any] | None]
    error: Mapped[str | None]
    cancel_requested: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_by: Mapped[str | None]
    started_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    process_id: Mapped[UUID | None]
    run_id: Mapped[UUID | None]
    run_at: Mapped[datetime | None]
    run_done: Mapped[int] = mapped_column(BigInteger)
    retry_at: Mapped[datetime | None]


class JobCrop(Base):
    """A crop that a job has still to do with: the set is decided when the job is made. The crop may be gone already."""

    __tablename__ = "job_crops"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    crop_id: Mapped[UUID] = mapped_column(primary_key=True)


class Process(Base):
    """A running process and the change up to which nothing that was deleted is in the files of its index."""

    __tablename__ = "processes"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    clean_sequence: Mapped[int] = mapped_column(BigInteger)
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
