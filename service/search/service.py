"""The doors by which a search comes in: each makes a vector and conditions of its request."""

import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request

from index.contract import UNIT_TOLERANCE, Filter
from model.embedder import Embedder
from service.access import Caller
from service.calibration.repository import CalibrationRepository
from service.collections.repository import CollectionRepository
from service.database.engine import Session
from service.disconnect import unless_gone
from service.embedding import Lane
from service.errors import ModelMismatchError
from service.problems import invalid_field
from service.runtime import Runtime
from service.search.answering import answer
from service.search.crops import stored_query
from service.search.images import embedded, prepared
from service.search.question import Entry, Question, Times, mean_vector
from service.search.requests import CropSearch, EmbeddingSearch, SearchForm
from service.search.schemas import SearchAnswer


async def search_by_image(runtime: Runtime, request: Request, caller: Caller, form: SearchForm) -> SearchAnswer:
    """Search with crops of one vehicle.

    Raises:
        ForbiddenError: The caller may not use the collection.
        NotFoundError: There is no such collection.
        InvalidValueError: Conditions or images make no sense together, or a purpose is wanted.
        ModelMismatchError: The collection's vectors come from another model.
        ServiceError: An image cannot be read, the model is busy, or a part is down; further as `answer`.
    """
    started = time.perf_counter()
    where = _without_camera(form.where(), form.camera_id, exclude=form.exclude_same_camera)
    async with runtime.database.reading() as session:
        entry = await _enter(runtime, session, caller, form)
    with runtime.queue.admit(Lane.SEARCH, len(form.images)):
        crops = await unless_gone(request, prepared(runtime, form.images))
        decoded = time.perf_counter()
        vector = mean_vector(await unless_gone(request, embedded(runtime, crops)), "images")
    question = Question(
        action="search_by_image",
        fields=form,
        vector=vector,
        camera_id=form.camera_id,
        where=where,
        entry=entry,
        quality=[crop.quality for crop in crops],
        times=Times(started, decoded, time.perf_counter()),
    )
    return await answer(runtime, request, caller, question)


async def search_by_crop(runtime: Runtime, request: Request, caller: Caller, search: CropSearch) -> SearchAnswer:
    """Search with enrolled crops of one vehicle, and without those that show another.

    Raises:
        NotFoundError: There is no such collection, or it does not hold a crop that is named.
        ServiceError: As `search_by_image`, images apart.
    """
    started = time.perf_counter()
    where = search.where()
    async with runtime.database.reading() as session:
        entry = await _enter(runtime, session, caller, search)
        stored = await stored_query(session, entry.collection, search)
    question = Question(
        action="search_by_crop",
        fields=search,
        vector=mean_vector(stored.vectors, "crop_ids"),
        camera_id=stored.camera_id,
        where=stored.narrowed(where, same_camera=search.exclude_same_camera, same_track=search.exclude_same_track),
        entry=entry,
        times=Times(started, started, time.perf_counter()),
    )
    return await answer(runtime, request, caller, question)


async def search_by_embedding(
    runtime: Runtime, request: Request, caller: Caller, search: EmbeddingSearch
) -> SearchAnswer:
    """Search with an embedding that the caller made with the model that is loaded.

    Raises:
        ModelMismatchError: The vector, or the collection's vectors, come from another model.
        InvalidValueError: The vector has another dimension or is not of unit length; further as `search_by_image`.
        ServiceError: As `search_by_image`, images apart.
    """
    started = time.perf_counter()
    where = _without_camera(search.where(), search.camera_id, exclude=search.exclude_same_camera)
    vector = _checked_vector(runtime.embedder, search)
    async with runtime.database.reading() as session:
        entry = await _enter(runtime, session, caller, search)
    question = Question(
        action="search_by_embedding",
        fields=search,
        vector=vector,
        camera_id=search.camera_id,
        where=where,
        entry=entry,
        times=Times(started, started, time.perf_counter()),
    )
    return await answer(runtime, request, caller, question)


def _without_camera(where: Filter, camera_id: str | None, *, exclude: bool | None) -> Filter:
    """The conditions without the query's own camera, unless that is wanted."""
    if exclude and camera_id is None:
        raise invalid_field("exclude_same_camera", "needs camera_id, the camera that saw the query")
    if camera_id is None or exclude is False:
        return where
    return replace(where, exclude_camera_ids=where.exclude_camera_ids | {camera_id})


async def _enter(
    runtime: Runtime, session: Session, caller: Caller, asked: SearchForm | CropSearch | EmbeddingSearch
) -> Entry:
    """Let a search in; refused where the caller may not use the collection, or not without saying why."""
    caller.enter(asked.collection)
    collection = await CollectionRepository(session).named_of_model(asked.collection, runtime.embedder.model_id)
    purpose = caller.purpose_for(asked.collection, required=collection.require_purpose, given=asked.purpose)
    return Entry(collection, await CalibrationRepository(session).standing(collection), purpose)


def _checked_vector(embedder: Embedder, search: EmbeddingSearch) -> NDArray[np.float32]:
    if search.model_id != embedder.model_id:
        raise ModelMismatchError(
            f"The vector is of model {search.model_id!r}, the one loaded is {embedder.model_id}: vectors of two models "
            "cannot be compared."
        )
    if len(search.vector) != embedder.dimension:
        raise invalid_field("vector", f"has {len(search.vector)} numbers, not {embedder.dimension}")
    vector = np.asarray(search.vector, dtype=np.float64)
    length = float(np.linalg.norm(vector))
    if not abs(length - 1) <= UNIT_TOLERANCE:
        raise invalid_field("vector", f"has length {length:.6g}, not 1; divide it by its length")
    unit: NDArray[np.float32] = (vector / length).astype(np.float32)
    return unit
