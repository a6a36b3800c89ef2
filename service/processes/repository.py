"""Rows of the running processes."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from service.database.tables import Process


class ProcessRepository:
    """Reads and writes the running processes within one session; commits nothing itself."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def appear(self, process_id: UUID, name: str, clean_sequence: int) -> None:
        """Give a sign of life.

        Args:
            process_id: The process.
            name: Where it runs, for people.
            clean_sequence: Nothing that was deleted by this change is in the files of its index.
        """
        new = insert(Process).values(id=process_id, name=name, clean_sequence=clean_sequence)
        seen = {"clean_sequence": clean_sequence, "seen_at": func.now()}
        await self._session.execute(new.on_conflict_do_update(index_elements=[Process.id], set_=seen))

    async def leave(self, process_id: UUID) -> None:
        """Forget a process that ends."""
        await self._session.execute(delete(Process).where(Process.id == process_id))

    async def forget(self, lost: timedelta) -> None:
        """Forget the processes that have given no sign of life for that long."""
        await self._session.execute(delete(Process).where(Process.seen_at < func.now() - lost))

    async def unclean(self, sequence: int, *, besides: UUID) -> list[str]:
        """Names of the processes in whose files something may be that was deleted by a change, one left out."""
        unclean = select(Process.name).where(Process.clean_sequence < sequence, Process.id != besides)
        return list(await self._session.scalars(unclean))
