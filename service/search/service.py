"""The doors by which a search comes in: each makes a vector and conditions of its request."""

import time
from dataclasses import replace

from starlette.requests import Request

from index.contract import Filter
from service.access import Caller
from service.collections.repository import CollectionRepository
from service.disconnect import unless_gone
from service.embedding import Lane
from service.gallery.service import no_collection
from service.problems import invalid_field
from service.runtime import Runtime
from service.search.answering import answer
from service.search.images import embedded, prepared
from service.search.question import Question, Times, mean_vector
from service.search.requests import SearchForm
from service.search.schemas import SearchAnswer


async def search_by_image(runtime: Runtime, request: Request, caller: Caller, form: SearchForm) -> SearchAnswer:
    """Search with crops of one vehicle.

    Raises:
        ForbiddenError: The caller may not use the collection.
        NotFoundError: There is no such collection.
        InvalidValueError: Conditions or images make no sense together.
        ModelMismatchError: The collection's vectors come from another model.
        ServiceError: An image cannot be read, the model is busy, or a part is down; further as `answer`.
    """
    started = time.perf_counter()
    where = _without_camera(form.where(), form.camera_id, exclude=form.exclude_same_camera)
    await _enter(runtime, caller, form.collection)
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
        quality=[crop.quality for crop in crops],
        times=Times(started, decoded, time.perf_counter()),
    )
    return await answer(runtime, request, caller, question)


def _without_camera(where: Filter, camera_id: str | None, *, exclude: bool | None) -> Filter:
    """The conditions without the query's own camera, unless that is wanted."""
    if exclude and camera_id is None:
        raise invalid_field("exclude_same_camera", "needs camera_id, the camera that saw the query")
    if camera_id is None or exclude is False:
        return where
    return replace(where, exclude_camera_ids=where.exclude_camera_ids | {camera_id})


async def _enter(runtime: Runtime, caller: Caller, name: str) -> None:
    """Refuse a collection that the caller may not use, that does not exist or that is of another model."""
    caller.enter(name)
    async with runtime.database.reading() as session:
        collection = await CollectionRepository(session).collection_of_model(name, runtime.embedder.model_id)
    if collection is None:
        raise no_collection(name)
