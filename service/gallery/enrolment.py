"""Enrolment: from a form of images to committed crops, each image for itself.

The order is what keeps the truth whole: files first, then one transaction with rows, vectors and change log, then the
answer. A process killed in between leaves at most files without rows, which the sweep at start removes.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from fastapi import UploadFile
from numpy.typing import NDArray
from pydantic import ValidationError
from starlette.requests import Request
from uuid_utils.compat import uuid7

from service.cameras.repository import CameraRepository
from service.collections.repository import CollectionRepository
from service.crops.sweep import remove_orphans
from service.database.engine import Session
from service.database.tables import Crop
from service.disconnect import unless_gone
from service.embedding import Lane
from service.embedding.prepare import PreparedCrop
from service.errors import (
    BelowQualityFloorError,
    ExternalIdConflictError,
    InvalidValueError,
    ServiceError,
    UnavailableError,
)
from service.gallery.outcomes import Outcomes
from service.gallery.records import NewCrop
from service.gallery.repository import GalleryRepository
from service.gallery.schemas import (
    CropFields,
    EnrolmentAnswer,
    latest_time,
)
from service.imaging import QualityLimits, quality_problems
from service.problems import validation_entry
from service.runtime import Runtime


@dataclass(slots=True)
class _Draft:
    """One image on its way in."""

    index: int
    fields: CropFields
    crop: PreparedCrop
    id: UUID
    embedding: NDArray[np.float32] | None = None


class Enrolment:
    """One POST /gallery.

    Args:
        runtime: The parts of the process.
        collection: Name of the collection.
        count: Number of images.
    """

    def __init__(self, runtime: Runtime, collection: str, count: int) -> None:
        self._runtime = runtime
        self._collection = collection
        self._floor = QualityLimits()
        self._keep_images = True
        self._outcomes = Outcomes(count)

    async def run(self, request: Request, uploads: Sequence[UploadFile], fields: Sequence[Any]) -> EnrolmentAnswer:
        """Enroll the images.

        Args:
            request: Watched while the model works: if its client leaves, what waits is dropped.
            uploads: The images.
            fields: What the client says about each, unchecked.

        Raises:
            AllRejectedError: Not one image could be enrolled.
            ExternalIdConflictError: The same, every one for its external id.
            ModelMismatchError: The collection's vectors come from another model.
            OverloadedError: Too much is waiting for the model.
            UnavailableError: Database, crop store or model do not answer; nothing was enrolled.
        """
        await self._read_collection()
        with self._runtime.queue.admit(Lane.ENROLMENT, len(uploads)):
            drafts = await unless_gone(request, self._embedded_drafts(uploads, fields))
        if not drafts:
            self._outcomes.raise_if_all_rejected()
        sequence = await self._commit(drafts)
        self._outcomes.raise_if_all_rejected()
        return EnrolmentAnswer(
            items=self._outcomes.items(), sequence=sequence, model_id=self._runtime.embedder.model_id
        )

    async def _read_collection(self) -> None:
        """What it demands. Before any work another model is refused; a duplicate has no vector of this one either."""
        model_id = self._runtime.embedder.model_id
        async with self._runtime.database.reading() as session:
            found = await CollectionRepository(session).collection_of_model(self._collection, model_id)
        if found is not None:
            self._floor = QualityLimits(**found.quality_floor)
            self._keep_images = found.keep_images

    async def _embedded_drafts(self, uploads: Sequence[UploadFile], fields: Sequence[Any]) -> list[_Draft]:
        context = latest_time(self._runtime.settings.clock_skew_s)
        ids = [uuid7() for _ in uploads]  # before decoding, so that ids are in the order of the request
        read = await asyncio.gather(
            *(self._draft(index, ids[index], upload, fields[index], context) for index, upload in enumerate(uploads))
        )
        drafts = self._without_repeats([draft for draft in read if draft is not None])
        drafts = self._above_floor(await self._without_known(drafts))
        return await self._embed(drafts)

    async def _draft(
        self,
        index: int,
        crop_id: UUID,
        upload: UploadFile,
        fields: Any,  # noqa: ANN401 - unchecked JSON
        context: dict[str, Any],
    ) -> _Draft | None:
        if not isinstance(fields, dict):
            self._outcomes.rejected(index, InvalidValueError.code, "items: the entry must be a JSON object")
            return None
        try:
            checked = CropFields.model_validate(fields, context=context)
            crop = await self._runtime.preparer.prepare(upload)
        except ValidationError as error:
            reason = "; ".join(validation_entry(entry)["detail"] for entry in error.errors())
            self._outcomes.rejected(index, InvalidValueError.code, reason)
            return None
        except ServiceError as error:
            self._outcomes.rejected(index, error.code, error.detail)
            return None
        return _Draft(index, checked, crop, crop_id)

    def _without_repeats(self, drafts: list[_Draft]) -> list[_Draft]:
        """Settle images that use an external id a second time within the request, as if they came in turn."""
        first: dict[str, _Draft] = {}
        kept = []
        for draft in drafts:
            external_id = draft.fields.external_id
            earlier = draft if external_id is None else first.setdefault(external_id, draft)
            if earlier is draft:
                kept.append(draft)
            elif earlier.crop.sha256 == draft.crop.sha256:
                self._outcomes.repeated(draft.index, earlier.index)
            else:
                self._outcomes.conflicting(draft.index)
        return kept

    async def _without_known(self, drafts: list[_Draft]) -> list[_Draft]:
        """Settle what is in the collection already, before the model works for it."""
        if not any(draft.fields.external_id for draft in drafts):
            return drafts
        async with self._runtime.database.reading() as session:
            repository = GalleryRepository(session)
            collection = await CollectionRepository(session).collection_of_model(
                self._collection, self._runtime.embedder.model_id
            )
            if collection is None:
                return drafts
            known = await repository.by_external_ids(collection.id, _external_ids(drafts))
        return [draft for draft in drafts if not self._settle_known(draft, known)]

    def _above_floor(self, drafts: list[_Draft]) -> list[_Draft]:
        """Reject what shows less than the collection demands; what it has already, it had before it demanded that."""
        kept = []
        for draft in drafts:
            if problems := quality_problems(draft.crop.quality, self._floor):
                reason = " ".join(problem.detail for problem in problems)
                self._outcomes.rejected(draft.index, BelowQualityFloorError.code, reason)
            else:
                kept.append(draft)
        return kept

    async def _embed(self, drafts: list[_Draft]) -> list[_Draft]:
        if not drafts:
            return []
        results = await self._runtime.queue.embed([draft.crop.pixels for draft in drafts], Lane.ENROLMENT)
        if all(isinstance(result, Exception) for result in results):
            raise UnavailableError("The model gives no embeddings; /readyz says more.", retry_after_s=5)
        embedded = []
        for draft, result in zip(drafts, results, strict=True):
            if isinstance(result, Exception):
                self._outcomes.rejected(
                    draft.index, "embedding_failed", "The model gave no embedding for this picture."
                )
            else:
                draft.embedding = result
                embedded.append(draft)
        return embedded

    async def _commit(self, drafts: list[_Draft]) -> int:
        """Store the files, then the rows; on failure take back the files. Returns the sequence number reached."""
        ids = {draft.id for draft in drafts}
        committing = False
        inserted: set[UUID] = set()
        try:
            if self._keep_images:
                await _all_or_error(self._runtime.store.put(draft.id, draft.crop.data) for draft in drafts)
            async with self._runtime.database.transaction() as session:
                inserted, sequence = await self._insert(session, drafts)
                committing = True
        except BaseException:
            # While it commits, the outcome is unknown to us: a row without its file would be half a crop, a file
            # without its row is removed by the sweep.
            if not committing:
                await asyncio.shield(remove_orphans(self._runtime.store, ids))
            raise
        self._runtime.follower.note_commit(sequence)
        await remove_orphans(self._runtime.store, ids if not self._keep_images else ids - inserted)
        return sequence

    async def _insert(self, session: Session, drafts: list[_Draft]) -> tuple[set[UUID], int]:
        repository, cameras = GalleryRepository(session), CameraRepository(session)
        if not drafts:
            return set(), await repository.head()
        model_id = self._runtime.embedder.model_id
        collection = await CollectionRepository(session).ensure_collection(self._collection, model_id)
        # Pictures that were stored a moment ago, before somebody decided against it, are removed after the commit.
        self._keep_images = self._keep_images and collection.keep_images
        made = await cameras.ensure(collection.id, {draft.fields.camera_id for draft in drafts})
        inserted = await repository.add(
            [_new_crop(draft, collection.id, model_id, has_image=self._keep_images) for draft in drafts]
        )
        # A camera appears at its first crop, so not where that lost a race for its external id.
        used = {draft.fields.camera_id for draft in drafts if draft.id in inserted}
        await cameras.remove_unused(collection.id, made - used)
        lost = [draft for draft in drafts if draft.id not in inserted]
        taken = await repository.by_external_ids(collection.id, _external_ids(lost))
        for draft in lost:
            if not self._settle_known(draft, taken):
                self._outcomes.rejected(
                    draft.index, ExternalIdConflictError.code, "external_id: was in use a moment ago; try again"
                )
        for draft in drafts:
            if draft.id in inserted:
                self._outcomes.enrolled(draft.index, draft.id)
        return inserted, await repository.log_changes(collection.id, inserted, deleted=False)

    def _settle_known(self, draft: _Draft, known: Mapping[str, Crop]) -> bool:
        """Whether the draft's external id is taken, by the same image (a duplicate) or by another (a conflict)."""
        crop = known.get(draft.fields.external_id or "")
        if crop is None:
            return False
        if crop.image_sha256 == draft.crop.sha256:
            self._outcomes.duplicate(draft.index, crop.id)
        else:
            self._outcomes.conflicting(draft.index)
        return True


async def _all_or_error(work: Iterable[Awaitable[None]]) -> None:
    """Await all of it to its end, then raise the first error, so that nothing still runs when the caller cleans up."""
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


def _new_crop(draft: _Draft, collection_id: UUID, model_id: str, *, has_image: bool) -> NewCrop:
    assert draft.embedding is not None  # noqa: S101 - only embedded drafts get here
    return NewCrop(
        id=draft.id,
        collection_id=collection_id,
        image_sha256=draft.crop.sha256,
        media_type=draft.crop.media_type,
        width=draft.crop.quality.width,
        height=draft.crop.quality.height,
        model_id=model_id,
        embedding=draft.embedding,
        has_image=has_image,
        **dict(draft.fields),
    )


def _external_ids(drafts: Sequence[_Draft]) -> list[str]:
    return [draft.fields.external_id for draft in drafts if draft.fields.external_id is not None]
