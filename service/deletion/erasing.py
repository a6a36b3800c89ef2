"""From rows that are deleted to bytes that are gone: pictures, and the files of every process's index."""

import asyncio
import time
from collections.abc import Callable, Sequence
from uuid import UUID

from service.crops.removal import remove_pictures
from service.crops.store import CropStore
from service.database.engine import Database
from service.deletion.repository import DeletionRepository
from service.errors import UnavailableError
from service.processes.repository import ProcessRepository
from service.runtime import Runtime

_LOOK_S = 0.02
_ASK_S = 0.2
"""Between two questions to the database, which knows of the other processes."""


async def delete_with_pictures(
    database: Database, store: CropStore, crop_ids: Sequence[UUID], committed: Callable[[int], None]
) -> int:
    """Delete crops, then their pictures. Crops that are deleted already are no error: their pictures may be left.

    Args:
        database: The rows.
        store: The pictures.
        crop_ids: The crops, few enough for one transaction.
        committed: Told of the number of the last change once it is committed.

    Returns:
        That number.

    Raises:
        UnavailableError: Rows or pictures cannot be deleted now; call it again.
    """
    async with database.transaction() as session:
        _, sequence = await DeletionRepository(session).delete(crop_ids)
    committed(sequence)
    if left := await remove_pictures(database, store, crop_ids):
        raise UnavailableError(f"{len(left)} pictures of deleted crops cannot be removed from the crop store.")
    return sequence


async def in_no_file(runtime: Runtime, sequence: int) -> bool:
    """Whether nothing that was deleted by a change is in the files of any running process's index.

    Raises:
        UnavailableError: The database does not answer.
    """
    if runtime.follower.clean_sequence < sequence:
        return False
    async with runtime.database.reading() as session:
        return not await ProcessRepository(session).unclean(sequence, besides=runtime.process_id)


async def wait_until_in_no_file(runtime: Runtime, sequence: int, timeout_s: float) -> bool:
    """Wait until nothing that was deleted by a change is in a file; whether it came to that in time.

    Raises:
        UnavailableError: The database does not answer.
    """
    end = time.monotonic() + timeout_s
    while not await in_no_file(runtime, sequence):
        asked_at = time.monotonic()
        # the own files are looked at often, because that costs nothing
        while runtime.follower.clean_sequence < sequence or time.monotonic() - asked_at < _ASK_S:
            if time.monotonic() >= end:
                return False
            await asyncio.sleep(_LOOK_S)
    return True
