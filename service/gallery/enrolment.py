"""Enrolment: from a form of images to committed crops, each image for itself.

The order is what keeps the truth whole: files first, then one transaction with rows, vectors and change log, then the
answer. A process killed in between leaves at most files without rows, which the sweep at start removes.
"""

import asyncio
from collections import Counter
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
    AllRejectedError,
    ExternalIdConflictError,
    InvalidValueError,
    ServiceError,
    UnavailableError,
)
from service.gallery.records import NewCrop
from service.gallery.repository import GalleryRepository
from service.gallery.schemas import (
    CropFields,
    EnrolledItem,
    EnrolmentAnswer,
    EnrolmentForm,
    latest_time,
)
from service.problems import invalid_field, validation_entry
from service.runtime import Runtime
from service.values import read_json

_COMMON_TEXTS = ("camera_id", "captured_at", "session_id", "track_id", "vehicle_id", "external_id")
_COMMON_JSON = ("attributes", "bbox")


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
        self._outcomes: list[EnrolledItem | None] = [None] * count
        self._repeats: dict[int, int] = {}
        """Index of an image that repeats another of the same request, and of that other."""

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
        await self._refuse_other_model()
        with self._runtime.queue.admit(Lane.ENROLMENT, len(uploads)):
            drafts = await unless_gone(request, self._embedded_drafts(uploads, fields))
        if not drafts:
            self._raise_if_all_rejected()
        sequence = await self._commit(drafts)
        self._raise_if_all_rejected()
        return EnrolmentAnswer(items=self._items(), sequence=sequence, model_id=self._runtime.embedder.model_id)

    async def _refuse_other_model(self) -> None:
        """Before any work, and where nothing would be inserted as well: a duplicate has no vector of this model."""
        async with self._runtime.database.reading() as session:
            await CollectionRepository(session).collection_of_model(self._collection, self._runtime.embedder.model_id)

    async def _embedded_drafts(self, uploads: Sequence[UploadFile], fields: Sequence[Any]) -> list[_Draft]:
        context = latest_time(self._runtime.settings.clock_skew_s)
        ids = [uuid7() for _ in uploads]  # before decoding, so that ids are in the order of the request
        read = await asyncio.gather(
            *(self._draft(index, ids[index], upload, fields[index], context) for index, upload in enumerate(uploads))
        )
        drafts = self._without_repeats([draft for draft in read if draft is not None])
        drafts = await self._without_known(drafts)
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
            self._reject(index, InvalidValueError.code, "items: the entry must be a JSON object")
            return None
        try:
            checked = CropFields.model_validate(fields, context=context)
            crop = await self._runtime.preparer.prepare(upload)
        except ValidationError as error:
            reason = "; ".join(validation_entry(entry)["detail"] for entry in error.errors())
            self._reject(index, InvalidValueError.code, reason)
            return None
        except ServiceError as error:
            self._reject(index, error.code, error.detail)
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
                self._repeats[draft.index] = earlier.index
            else:
                self._reject_conflict(draft)
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

    async def _embed(self, drafts: list[_Draft]) -> list[_Draft]:
        if not drafts:
            return []
        results = await self._runtime.queue.embed([draft.crop.pixels for draft in drafts], Lane.ENROLMENT)
        if all(isinstance(result, Exception) for result in results):
            raise UnavailableError("The model gives no embeddings; /readyz says more.", retry_after_s=5)
        embedded = []
        for draft, result in zip(drafts, results, strict=True):
            if isinstance(result, Exception):
                self._reject(draft.index, "embedding_failed", "The model gave no embedding for this picture.")
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
        await remove_orphans(self._runtime.store, ids - inserted)
        return sequence

    async def _insert(self, session: Session, drafts: list[_Draft]) -> tuple[set[UUID], int]:
        repository, cameras = GalleryRepository(session), CameraRepository(session)
        if not drafts:
            return set(), await repository.head()
        model_id = self._runtime.embedder.model_id
        collection = await CollectionRepository(session).ensure_collection(self._collection, model_id)
        made = await cameras.ensure(collection.id, {draft.fields.camera_id for draft in drafts})
        inserted = await repository.add([_new_crop(draft, collection.id, model_id) for draft in drafts])
        # A camera appears at its first crop, so not where that lost a race for its external id.
        used = {draft.fields.camera_id for draft in drafts if draft.id in inserted}
        await cameras.remove_unused(collection.id, made - used)
        lost = [draft for draft in drafts if draft.id not in inserted]
        taken = await repository.by_external_ids(collection.id, _external_ids(lost))
        for draft in lost:
            if not self._settle_known(draft, taken):
                self._reject(
                    draft.index, ExternalIdConflictError.code, "external_id: was in use a moment ago; try again"
                )
        for draft in drafts:
            if draft.id in inserted:
                self._outcomes[draft.index] = EnrolledItem(index=draft.index, status="enrolled", id=draft.id)
        return inserted, await repository.log_changes(collection.id, inserted, deleted=False)

    def _settle_known(self, draft: _Draft, known: Mapping[str, Crop]) -> bool:
        """Whether the draft's external id is taken, by the same image (a duplicate) or by another (a conflict)."""
        crop = known.get(draft.fields.external_id or "")
        if crop is None:
            return False
        if crop.image_sha256 == draft.crop.sha256:
            self._outcomes[draft.index] = EnrolledItem(index=draft.index, status="duplicate", id=crop.id)
        else:
            self._reject_conflict(draft)
        return True

    def _reject(self, index: int, code: str, reason: str) -> None:
        self._outcomes[index] = EnrolledItem(index=index, status="rejected", reason=reason, code=code)

    def _reject_conflict(self, draft: _Draft) -> None:
        self._reject(draft.index, ExternalIdConflictError.code, "external_id: is taken by another image")

    def _items(self) -> list[EnrolledItem]:
        """What became of every image, once all are settled; one that repeats another shares the other's fate."""
        return [
            self._repeated(index) if index in self._repeats else self._settled(index)
            for index in range(len(self._outcomes))
        ]

    def _settled(self, index: int) -> EnrolledItem:
        outcome = self._outcomes[index]
        assert outcome is not None  # noqa: S101 - every image that is no repeat has been settled
        return outcome

    def _repeated(self, index: int) -> EnrolledItem:
        earlier = self._settled(self._repeats[index])
        status = "rejected" if earlier.status == "rejected" else "duplicate"
        return earlier.model_copy(update={"index": index, "status": status})

    def _raise_if_all_rejected(self) -> None:
        items = self._items()
        if any(item.status != "rejected" for item in items):
            return
        errors = [{"index": item.index, "code": item.code, "detail": item.reason} for item in items]
        codes = Counter(item.code for item in items)
        if set(codes) == {ExternalIdConflictError.code}:
            raise ExternalIdConflictError("Every external id is taken by another image.", errors=errors)
        counts = ", ".join(f"{code} ({count})" for code, count in codes.items())
        raise AllRejectedError(f"No image could be enrolled: {counts}.", errors=errors)


async def _all_or_error(work: Iterable[Awaitable[None]]) -> None:
    """Await all of it to its end, then raise the first error, so that nothing still runs when the caller cleans up."""
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


def fields_of(form: EnrolmentForm) -> list[Any]:
    """What the form says about each image, unchecked: the common fields, overridden by the image's own in `items`.

    Raises:
        MalformedRequestError: A JSON field is not JSON.
        InvalidValueError: `items` is not a list of one object for each image.
    """
    common = {name: value for name in _COMMON_TEXTS if (value := getattr(form, name)) is not None}
    common |= {name: read_json(text, name) for name in _COMMON_JSON if (text := getattr(form, name)) is not None}
    items = [None] * len(form.images) if form.items is None else read_json(form.items, "items")
    if not isinstance(items, list) or len(items) != len(form.images):
        raise invalid_field("items", f"must be a JSON list with one object for each of the {len(form.images)} images")
    return [_merged(common, item) for item in items]


def _merged(common: dict[str, Any], own: Any) -> Any:  # noqa: ANN401 - unchecked JSON
    if own is None:
        return common
    return common | own if isinstance(own, dict) else own


def _new_crop(draft: _Draft, collection_id: UUID, model_id: str) -> NewCrop:
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
        **dict(draft.fields),
    )


def _external_ids(drafts: Sequence[_Draft]) -> list[str]:
    return [draft.fields.external_id for draft in drafts if draft.fields.external_id is not None]
