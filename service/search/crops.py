"""A query of enrolled crops, and of those that are not the vehicle."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from index.contract import Filter, Track
from service.database.engine import Session
from service.database.tables import Collection
from service.errors import NotFoundError
from service.gallery.records import CropRecord
from service.gallery.repository import GalleryRepository
from service.judgements.repository import JudgementRepository
from service.search.repository import EmbeddingRepository
from service.search.requests import CropSearch


@dataclass(frozen=True, slots=True)
class StoredQuery:
    """Enrolled crops that a search is about.

    Attributes:
        wanted: Those that show the vehicle.
        rejected: Those that show another, as the search or people's judgements say.
        vectors: Embeddings of the wanted ones, of unit length, shape (wanted, dimension), float32.
    """

    wanted: Sequence[CropRecord]
    rejected: Sequence[CropRecord]
    vectors: NDArray[np.float32]

    @property
    def camera_id(self) -> str | None:
        """The camera that took all of the wanted; None where several did."""
        cameras = {crop.camera_id for crop in self.wanted}
        return cameras.pop() if len(cameras) == 1 else None

    def narrowed(self, where: Filter, *, same_camera: bool | None, same_track: bool) -> Filter:
        """The conditions less what an answer to this query should not hold.

        These crops are left out, with the tracks of the rejected ones and the vehicle that a rejected one was
        confirmed to be, unless a wanted one was confirmed to be the same.

        Args:
            where: The conditions of the request.
            same_camera: Whether the wanted crops' cameras are left out; None does so where it is one.
            same_track: Whether the wanted crops' tracks are.
        """
        cameras = {crop.camera_id for crop in self.wanted}
        leave_cameras = len(cameras) == 1 if same_camera is None else same_camera
        left_out = [*self.rejected, *(self.wanted if same_track else ())]
        return replace(
            where,
            exclude_ids=where.exclude_ids | {crop.id for crop in (*self.wanted, *self.rejected)},
            exclude_camera_ids=where.exclude_camera_ids | (cameras if leave_cameras else set()),
            exclude_tracks=where.exclude_tracks | _tracks(left_out),
            exclude_vehicle_ids=where.exclude_vehicle_ids | (_confirmed(self.rejected) - _confirmed(self.wanted)),
        )


async def stored_query(session: Session, collection: Collection, search: CropSearch) -> StoredQuery:
    """Read the crops that a search names, and those that people judged not to be their vehicle.

    Raises:
        NotFoundError: The collection does not hold one of them.
    """
    records = await GalleryRepository(session).many([*search.crop_ids, *search.not_crop_ids])
    of_collection = {crop_id: crop for crop_id, crop in records.items() if crop.collection_id == collection.id}
    vectors = await EmbeddingRepository(session).of_crops(collection.id, collection.model_id, search.crop_ids)
    missing = [one for one in search.crop_ids if one not in vectors or one not in of_collection]
    missing += [one for one in search.not_crop_ids if one not in of_collection]
    if missing:
        raise _no_crop(missing[0], collection.name)
    wanted = [of_collection[one] for one in search.crop_ids]
    rejected = {one: of_collection[one] for one in search.not_crop_ids}
    if search.exclude_rejected:
        rejected |= await _judged_otherwise(session, collection, wanted)
    return StoredQuery(wanted, list(rejected.values()), np.stack([vectors[one] for one in search.crop_ids]))


async def _judged_otherwise(
    session: Session, collection: Collection, wanted: Sequence[CropRecord]
) -> dict[UUID, CropRecord]:
    judgements, crop_ids = JudgementRepository(session), [crop.id for crop in wanted]
    rejected = await judgements.rejected(collection.id, crop_ids, _confirmed(wanted))
    return await GalleryRepository(session).many(rejected) if rejected else {}


def _no_crop(crop_id: UUID, collection: str) -> NotFoundError:
    return NotFoundError(f"The collection {collection!r} holds no crop {crop_id}; it may have been deleted.")


def _tracks(crops: Iterable[CropRecord]) -> frozenset[Track]:
    return frozenset((crop.camera_id, crop.session_id, crop.track_id) for crop in crops if crop.track_id is not None)


def _confirmed(crops: Iterable[CropRecord]) -> frozenset[str]:
    return frozenset(crop.vehicle_id for crop in crops if crop.vehicle_confirmed and crop.vehicle_id is not None)
