"""Moving a collection over to the loaded model, beside searches and enrolments with the model that it has.

Vectors are made and committed some at a time, with their lines of the change log, so that indexes of the new model fill
up meanwhile, and an interruption costs what was being made. Only the last step holds enrolments: it makes what came in
since, and names the new model. So a crop is either enrolled before the switch and embedded once more, or refused.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from service.collections.repository import CollectionRepository
from service.database.engine import Database
from service.errors import InvalidValueError
from service.reembedding.pictures import AT_ONCE, StoredPictures
from service.reembedding.repository import ReembeddingRepository

BATCH = 128
"""Crops of one transaction."""
LATE = AT_ONCE
"""Crops that are embedded while enrolments wait, at most."""
_NAMED = 10

Advance = Callable[[int], Awaitable[None]]
"""Is told how many crops more are done."""
Drop = Callable[[list[UUID]], Awaitable[None]]
"""Deletes crops."""


@dataclass(slots=True)
class Reembedding:
    """One collection on its way to another model.

    Attributes:
        database: The truth.
        pictures: Stored pictures, and the model.
        model_id: The model.
        committed: Told of the number of each change.
        advance: Told how many crops more are done.
        drop: Deletes crops that cannot be embedded; None where they are to keep the collection at its model.
        embedded: How many crops were embedded.
        dropped: How many were deleted.
        bare: Crops that cannot be embedded.
    """

    database: Database
    pictures: StoredPictures
    model_id: str
    committed: Callable[[int], None]
    advance: Advance
    drop: Drop | None = None
    embedded: int = 0
    dropped: int = 0
    bare: set[UUID] = field(default_factory=set)

    async def run(self, name: str) -> Mapping[str, Any]:
        """Embed every crop of a collection and make it one of the model.

        After an interruption a second run goes on where the first stopped. The vectors of the model before stay.

        Args:
            name: Name of the collection.

        Returns:
            What was done, as JSON.

        Raises:
            NotFoundError: There is no such collection.
            InvalidValueError: Crops have no picture that can be read; the collection keeps its model.
            UnavailableError: A part is down; what was committed stays.
        """
        while not await self._switched(name):
            collection_id = await self._collection_id(name)
            await self._embed_all(collection_id)
            await self._see_to_bare(name, collection_id)
        return {"model_id": self.model_id, "embedded": self.embedded, "dropped": self.dropped}

    async def _collection_id(self, name: str) -> UUID:
        async with self.database.reading() as session:
            return (await CollectionRepository(session).named(name)).id

    async def _embed_all(self, collection_id: UUID) -> None:
        after: UUID | None = None
        while True:
            async with self.database.reading() as session:
                crops = await ReembeddingRepository(session).next_without(collection_id, self.model_id, BATCH, after)
            if not crops:
                return
            after = max(crops)
            wanted = {crop_id: has_image for crop_id, has_image in crops.items() if crop_id not in self.bare}
            vectors = await self.pictures.embed([crop_id for crop_id, has_image in wanted.items() if has_image])
            async with self.database.transaction() as session:
                sequence = await ReembeddingRepository(session).add(collection_id, self.model_id, vectors)
            self.committed(sequence)
            self.bare |= wanted.keys() - vectors.keys()
            self.embedded += len(vectors)
            await self.advance(len(wanted))

    async def _see_to_bare(self, name: str, collection_id: UUID) -> None:
        """Delete what cannot be embedded, or refuse."""
        async with self.database.reading() as session:
            repository = ReembeddingRepository(session)
            bare = sorted(await repository.still_without(collection_id, self.model_id, list(self.bare)))
        self.bare = set(bare)
        if not bare:
            return
        if self.drop is None:
            named = ", ".join(map(str, bare[:_NAMED])) + (" ..." if len(bare) > _NAMED else "")
            raise InvalidValueError(
                f"{len(bare)} crops of {name!r} have no picture that can be read, so the collection keeps its model. "
                f"Enroll them again, or ask for this with drop_without_picture: {named}"
            )
        for start in range(0, len(bare), BATCH):
            await self.drop(bare[start : start + BATCH])
        self.dropped += len(bare)
        self.bare = set()

    async def _switched(self, name: str) -> bool:
        """Embed the last crops and name the new model, unless there are too many for enrolments to wait."""
        async with self.database.transaction() as session:
            repository = ReembeddingRepository(session)
            await CollectionRepository(session).hold_enrolments()
            collection = await CollectionRepository(session).named(name)
            if collection.model_id == self.model_id:
                return True
            late = await repository.next_without(collection.id, self.model_id, LATE + 1)
            if len(late) > LATE or not all(late.values()):
                return False
            vectors = await self.pictures.embed(list(late))
            if late.keys() - vectors.keys():
                return False
            await self.advance(len(vectors))
            await repository.switch(collection.id, self.model_id)
            sequence = await repository.add(collection.id, self.model_id, vectors)
        self.embedded += len(vectors)
        self.committed(sequence)
        return True


async def crops_left(database: Database, name: str, model_id: str) -> int:
    """Crops of a collection that have no vector of a model yet.

    Raises:
        NotFoundError: There is no such collection.
    """
    async with database.reading() as session:
        collection = await CollectionRepository(session).named(name)
        return await ReembeddingRepository(session).count_without(collection.id, model_id)
