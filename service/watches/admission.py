"""What must hold for a watch that is made or changed."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import numpy as np

from service.calibration.repository import CalibrationRepository
from service.collections.repository import CollectionRepository
from service.database.engine import Session
from service.database.tables import Collection
from service.errors import ConflictError, NotFoundError
from service.problems import invalid_field
from service.runtime import Runtime
from service.search.question import mean_vector
from service.search.repository import EmbeddingRepository
from service.watches.addresses import RefusedAddressError


def check_fields(runtime: Runtime, webhook_url: str | None, expires_at: datetime | None) -> None:
    """Refuse what is wrong whatever is in the database.

    Raises:
        InvalidValueError: The watch would have ended already, or its webhook may not be told.
    """
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise invalid_field("expires_at", "must lie in the future")
    if webhook_url is not None:
        try:
            runtime.watching.destinations.check(webhook_url)
        except RefusedAddressError as error:
            raise invalid_field("webhook_url", str(error)) from error


async def loaded_collection(runtime: Runtime, session: Session, name: str, *, keep: bool) -> Collection:
    """The collection of that name, which is one of the model that is loaded.

    Args:
        runtime: The parts of the process.
        session: The unit of work.
        name: Its name.
        keep: Whether it is kept from being deleted until the end of the transaction.

    Raises:
        NotFoundError: There is none.
        ModelMismatchError: It is of another model.
    """
    return await CollectionRepository(session).named_of_model(name, runtime.embedder.model_id, keep=keep)


async def require_crops(session: Session, collection: Collection, crop_ids: Sequence[UUID]) -> None:
    """Refuse crops that a watch of the collection cannot look for; the others stay until the end of the transaction.

    Raises:
        NotFoundError: The collection does not hold one of them.
        InvalidValueError: They show nothing in common.
    """
    vectors = await EmbeddingRepository(session).of_crops(collection.id, collection.model_id, crop_ids, keep=True)
    missing = [crop_id for crop_id in crop_ids if crop_id not in vectors]
    if missing:
        raise NotFoundError(f"The collection {collection.name!r} holds no crop {missing[0]}; it may have been deleted.")
    mean_vector(np.stack(list(vectors.values())), "crop_ids")


async def require_calibration(session: Session, collection: Collection) -> None:
    """Refuse to go by a calibration that there is not.

    Raises:
        ConflictError: The collection's scores are not calibrated.
    """
    if (await CalibrationRepository(session).standing(collection)).state != "valid":
        raise ConflictError(
            f"The scores of the collection {collection.name!r} are not calibrated for its model; calibrate them, or "
            "give min_score in place of decision."
        )


def without_address(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for, with no more of the webhook's address than its host: some hold a secret."""
    url = asked.get("webhook_url")
    return {**asked, **({} if url is None else {"webhook_url": urlsplit(url).hostname})}
