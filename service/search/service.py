"""POST /search: query images to ranked, hydrated, audited hits."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from uuid import UUID

import numpy as np
from fastapi import UploadFile
from numpy.typing import NDArray
from starlette.requests import Request

from index.contract import Filter
from index.recheck import allows
from service.access import Caller
from service.audit.repository import AuditRepository
from service.disconnect import unless_gone
from service.embedding import Lane
from service.embedding.prepare import PreparedCrop
from service.errors import IndexBehindError, ServiceError, UnavailableError
from service.gallery.repository import CropRecord, GalleryRepository
from service.gallery.schemas import CropView
from service.gallery.service import no_collection
from service.problems import invalid_field
from service.runtime import Runtime
from service.search.ranking import Query, Ranked, Ranking, rank
from service.search.schemas import (
    HitView,
    QueryQuality,
    QueryView,
    SearchAnswer,
    SearchForm,
    SearchView,
    Timing,
    TrackView,
)

_SMALLEST_MEAN = 1e-6
_RETRY_AFTER_S = 1

logger = logging.getLogger(__name__)


async def search_by_image(runtime: Runtime, request: Request, caller: Caller, form: SearchForm) -> SearchAnswer:
    """Search with crops of one vehicle.

    Raises:
        ForbiddenError: The caller may not use the collection.
        NotFoundError: There is no such collection.
        InvalidValueError: Conditions or images make no sense together.
        ModelMismatchError: The collection's vectors come from another model.
        IndexBehindError: The index has not reached min_sequence in time.
        UnavailableError: The index is being loaded, or has not reached what this process committed itself in time.
        ServiceError: An image cannot be read, the model is busy, or a part is down.
    """
    started = time.perf_counter()
    where = _where(form)
    caller.enter(form.collection)
    await _check_collection(runtime, form.collection)
    with runtime.queue.admit(Lane.SEARCH, len(form.images)):
        crops = await unless_gone(request, _prepare_all(runtime, form.images))
        decoded = time.perf_counter()
        vector = await unless_gone(request, _query_vector(runtime, crops))
    embedded = time.perf_counter()
    await _wait_for_index(runtime, form.min_sequence)
    ranking, records = await _rank_and_record(runtime, caller, _query(runtime, form, vector), where, form)
    finished = time.perf_counter()
    return SearchAnswer(
        hits=_hit_views(request, ranking, records),
        query=QueryView(
            model_id=runtime.embedder.model_id, quality=[QueryQuality.model_validate(crop.quality) for crop in crops]
        ),
        search=SearchView(
            mode=ranking.mode,
            candidates=ranking.candidates,
            returned=len(ranking.groups),
            exhausted=ranking.exhausted,
            reranked=ranking.reranked,
            index_sequence=ranking.watermark,
            took_ms=Timing(
                decode=_ms(started, decoded),
                embed=_ms(decoded, embedded),
                search=_ms(embedded, finished),
                total=_ms(started, finished),
            ),
        ),
    )


def _where(form: SearchForm) -> Filter:
    where = form.where()
    if form.exclude_same_camera and form.camera_id is None:
        raise invalid_field("exclude_same_camera", "needs camera_id, the camera that saw the query")
    if form.camera_id is None or form.exclude_same_camera is False:
        return where
    return replace(where, exclude_camera_ids=where.exclude_camera_ids | {form.camera_id})


async def _check_collection(runtime: Runtime, name: str) -> None:
    async with runtime.database.reading() as session:
        collection = await GalleryRepository(session).collection_of_model(name, runtime.embedder.model_id)
    if collection is None:
        raise no_collection(name)


async def _prepare_all(runtime: Runtime, uploads: Sequence[UploadFile]) -> list[PreparedCrop]:
    prepared = await asyncio.gather(*map(runtime.preparer.prepare, uploads), return_exceptions=True)
    for index, result in enumerate(prepared):
        if isinstance(result, ServiceError):
            raise type(result)(
                f"Image {index}: {result.detail}",
                errors=[{"index": index, "code": result.code, "detail": result.detail}],
            ) from result
        if isinstance(result, BaseException):
            raise result
    return [result for result in prepared if isinstance(result, PreparedCrop)]


async def _query_vector(runtime: Runtime, crops: Sequence[PreparedCrop]) -> NDArray[np.float32]:
    """The mean of the crops' unit vectors, of unit length again."""
    results = await runtime.queue.embed([crop.pixels for crop in crops], Lane.SEARCH)
    vectors = [result for result in results if isinstance(result, np.ndarray)]
    if len(vectors) < len(crops):
        raise UnavailableError(
            "The model gave no embedding for the query; /readyz says more.", retry_after_s=_RETRY_AFTER_S
        )
    mean = np.mean(vectors, axis=0, dtype=np.float64)
    length = float(np.linalg.norm(mean))
    if length < _SMALLEST_MEAN:
        raise invalid_field("images", "show nothing in common; send crops of one vehicle")
    unit: NDArray[np.float32] = np.asarray(mean / length, dtype=np.float32)
    return unit


async def _wait_for_index(runtime: Runtime, min_sequence: int | None) -> None:
    """Wait until the index has what this process committed itself and what the client asks for."""
    follower = runtime.follower
    wanted = max(follower.committed, min_sequence or 0)
    if await follower.wait_for(wanted, runtime.settings.min_sequence_wait_s):
        return
    if follower.loaded and min_sequence is not None and follower.sequence < min_sequence:
        raise IndexBehindError(
            f"The index has reached change {follower.sequence}, not yet {min_sequence}; try again.",
            retry_after_s=_RETRY_AFTER_S,
        )
    if follower.loaded:
        raise UnavailableError(
            "The index has not caught up with this process's own writes yet; try again.", retry_after_s=_RETRY_AFTER_S
        )


def _query(runtime: Runtime, form: SearchForm, vector: NDArray[np.float32]) -> Query:
    return Query(
        vector=vector,
        camera_id=form.camera_id,
        k=form.k,
        min_score=form.min_score,
        group_by=form.group_by,
        rerank=form.rerank,
        camera_normalization=form.camera_normalization,
        rerank_candidates=runtime.settings.rerank_candidates,
    )


async def _rank_and_record(
    runtime: Runtime, caller: Caller, query: Query, where: Filter, form: SearchForm
) -> tuple[Ranking, Mapping[UUID, CropRecord]]:
    """Rank, read the crops from the truth and write the audit entry.

    The index may be a moment behind: a crop that is gone from the truth, or no longer meets the conditions there, is
    put on the list of the excluded and the search is done again, so that the next one takes its place.
    """
    while True:
        ranking = await runtime.follower.ask(partial(rank, query=query, where=where))
        shown = [group[0] for group in ranking.groups]
        ids = [entry.hit.sighting.id for entry in shown]
        async with runtime.database.transaction() as session:
            records = await GalleryRepository(session).many(ids)
            stale = {entry.hit.sighting.id for entry in shown if not _still_true(entry, records, where)}
            if not stale:
                conditions = form.model_dump(
                    mode="json", by_alias=True, exclude={"images", "purpose"}, exclude_none=True
                )
                audit = AuditRepository(session)
                await audit.record(
                    caller,
                    "search_by_image",
                    form.collection,
                    purpose=form.purpose,
                    filter=conditions,
                    crop_ids=ids,
                )
                return ranking, records
        logger.info("%d hits are gone from the truth; the search is done again without them", len(stale))
        where = replace(where, exclude_ids=where.exclude_ids | stale)


def _still_true(entry: Ranked, records: Mapping[UUID, CropRecord], where: Filter) -> bool:
    record = records.get(entry.hit.sighting.id)
    if record is None:
        return False
    truth = replace(
        entry.hit.sighting,
        collection=record.collection,
        camera_id=record.camera_id,
        captured_at=record.captured_at,
        vehicle_id=record.vehicle_id,
        attributes=record.attributes,
    )
    return allows(where, truth)


def _hit_views(request: Request, ranking: Ranking, records: Mapping[UUID, CropRecord]) -> list[HitView]:
    prefix = request.scope.get("root_path", "")
    views = []
    for position, group in enumerate(ranking.groups):
        best = group[0]
        record = records[best.hit.sighting.id]
        views.append(
            HitView(
                rank=position + 1,
                score=best.hit.score,
                rerank_score=best.rerank_score,
                crop=CropView.model_validate(record),
                track=_track_view(group),
                matched_crops=len(group),
                image_url=f"{prefix}/gallery/{record.id}/image",
            )
        )
    return views


def _track_view(group: Sequence[Ranked]) -> TrackView | None:
    best = group[0].hit.sighting
    if best.track is None:
        return None
    times = [
        entry.hit.sighting.captured_at
        for entry in group
        if entry.hit.sighting.captured_at is not None
        and (entry.hit.sighting.camera_id, entry.hit.sighting.track) == (best.camera_id, best.track)
    ]
    session_id, track_id = best.track
    return TrackView(
        camera_id=best.camera_id,
        session_id=session_id,
        track_id=track_id,
        first_captured_at=min(times, default=None),
        last_captured_at=max(times, default=None),
    )


def _ms(start: float, end: float) -> float:
    return round(1000 * (end - start), 2)
