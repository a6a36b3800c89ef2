"""Fitting a projection on a collection's stored vectors, and moving the collection over to it.

Moving goes on beside enrolments and searches of the base model. Batches are committed one by one with their lines of
the change log, so that followers of the new model fill up as it goes and an interruption costs one batch. Only the last
step holds enrolments: it makes what came in meanwhile and names the new model, in one transaction. Whoever enrolls with
the base model after it is refused, as with any other model, so that no crop is without a vector of its collection's.
"""

from collections.abc import Callable
from contextlib import aclosing
from uuid import UUID

from model.projection import Projection, ProjectionFit
from service.collections.repository import CollectionRepository
from service.database.engine import Database, Session
from service.database.tables import Collection
from service.errors import InvalidValueError, ModelMismatchError
from service.gallery.repository import GalleryRepository
from service.projection.repository import ProjectionRepository

BATCH = 2048
"""Crops of one transaction."""

Advance = Callable[[int], None]
"""Is told how many more crops are done."""


async def crops_left(database: Database, collection: str, projection: Projection) -> int:
    """Crops that have no projected vector yet.

    Raises:
        NotFoundError: There is no such collection.
    """
    async with database.reading() as session:
        found = await CollectionRepository(session).named(collection)
        return await ProjectionRepository(session, found.id).without(projection.model_id)


async def crops_to_fit_on(database: Database, collection: str) -> int:
    """Crops that have a vector of the collection's model.

    Raises:
        NotFoundError: There is no such collection.
    """
    async with database.reading() as session:
        found = await CollectionRepository(session).named(collection)
        return await ProjectionRepository(session, found.id).count(found.model_id)


async def fit_on_collection(database: Database, collection: str, dimension: int, advance: Advance) -> Projection:
    """Fit a projection on every vector of the collection's model, in one snapshot of the database.

    Args:
        database: The truth.
        collection: Name of the collection.
        dimension: Length of the projected embeddings.
        advance: Told of crops done.

    Raises:
        NotFoundError: There is no such collection.
        InputError: It has too few crops, or its vectors are no longer than the dimension or projected already.
        InvalidValueError: A stored vector is broken.
        UnavailableError: The database does not answer.
    """
    fit: ProjectionFit | None = None
    async with database.reading() as session:
        found = await CollectionRepository(session).named(collection)
        batches = ProjectionRepository(session, found.id).vectors(found.model_id, BATCH)
        async with aclosing(batches):
            async for vectors in batches:
                fit = fit or ProjectionFit(found.model_id, vectors.shape[1])
                fit.add(vectors)
                advance(len(vectors))
    if fit is None:
        raise InvalidValueError(f"The collection {collection!r} holds no crops: there is nothing to fit on.")
    return fit.projection(dimension)


async def project_collection(database: Database, collection: str, projection: Projection, advance: Advance) -> bool:
    """Give every crop of a collection its projected vector, then make the collection one of the projected model.

    After an interruption a second call goes on where the first stopped. The vectors of the base model stay.

    Args:
        database: The truth.
        collection: Name of the collection.
        projection: Fitted on the collection's model.
        advance: Told of crops done.

    Returns:
        Whether there was anything to do: False where the collection is one of the projected model already.

    Raises:
        NotFoundError: There is no such collection.
        ModelMismatchError: The collection is of another model than the projection was fitted on.
        InvalidValueError: Crops have no vector of the base model, or a broken one; the collection keeps its model.
        ModelError: A vector cannot be projected.
        UnavailableError: The database does not answer; what was committed stays.
    """
    async with database.reading() as session:
        found = await CollectionRepository(session).named(collection)
    if found.model_id == projection.model_id:
        return False
    _require_base(found, projection)
    after: UUID | None = None
    while True:
        async with database.transaction() as session:
            done = await _project_batch(session, found.id, projection, after)
            await GalleryRepository(session).log_changes(found.id, done, deleted=False)
        if not done:
            break
        advance(len(done))
        after = done[-1]
    async with database.transaction() as session:
        await _finish(session, collection, projection, advance)
    return True


async def _project_batch(
    session: Session, collection_id: UUID, projection: Projection, after: UUID | None
) -> list[UUID]:
    repository = ProjectionRepository(session, collection_id)
    crop_ids, vectors = await repository.left(projection.base_model_id, projection.model_id, BATCH, after)
    if crop_ids:
        await repository.add(projection.model_id, crop_ids, projection.apply(vectors))
    return crop_ids


async def _finish(session: Session, name: str, projection: Projection, advance: Advance) -> None:
    """Make what is left, whatever its id, and name the new model. The first lock shuts out every enrolment."""
    collection = await CollectionRepository(session).named(name)
    repository = ProjectionRepository(session, collection.id)
    await CollectionRepository(session).hold_enrolments()
    await session.refresh(collection)
    if collection.model_id == projection.model_id:  # another process was faster
        return
    _require_base(collection, projection)
    late: list[UUID] = []
    while done := await _project_batch(session, collection.id, projection, None):
        late += done
        advance(len(done))
    bare = await repository.without(projection.model_id)
    if bare:
        raise InvalidValueError(
            f"{bare} crops of {name!r} have no vector of {projection.base_model_id}, so none can be made of it: the "
            "collection keeps its model. Delete them, or enroll them again."
        )
    await repository.switch(projection.model_id)
    await GalleryRepository(session).log_changes(collection.id, late, deleted=False)


def _require_base(collection: Collection, projection: Projection) -> None:
    if collection.model_id != projection.base_model_id:
        raise ModelMismatchError(
            f"The collection {collection.name!r} belongs to model {collection.model_id}, the projection was fitted on "
            f"{projection.base_model_id}: fit one on this collection."
        )
