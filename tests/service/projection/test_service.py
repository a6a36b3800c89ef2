"""A collection moved over to projected embeddings, on a real PostgreSQL, beside writers that do not stop for it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncSession

from model.errors import InputError
from model.projection import Projection
from service.collections.repository import CollectionRepository
from service.database.engine import Database
from service.database.tables import Embedding
from service.database.vectors import decode
from service.errors import InvalidValueError, ModelMismatchError, NotFoundError
from service.gallery.records import NewCrop
from service.gallery.repository import GalleryRepository
from service.projection import service as module
from service.projection.service import crops_left, crops_to_fit_on, fit_on_collection, project_collection

MODEL_ID = "model-1"

Enrol = Callable[..., Awaitable[list[NewCrop]]]


def unheard(_: int) -> None:
    pass


async def model_of(database: Database, name: str = "default") -> str:
    async with database.reading() as session:
        collection = await CollectionRepository(session).collection(name)
    assert collection is not None
    return collection.model_id


async def followed(database: Database, model_id: str) -> dict[UUID, NDArray[np.float32]]:
    """Vectors of the model that a follower hears of: with a line of the log of the same transaction or a later one."""
    query = text(
        "SELECT e.crop_id, e.vector FROM embeddings e WHERE e.model_id = :model_id AND EXISTS (SELECT 1 FROM changes l "
        "WHERE l.crop_id = e.crop_id AND NOT l.deleted AND l.xmin::text::bigint >= e.xmin::text::bigint)"
    )
    async with database.reading() as session:
        rows = await session.execute(query, {"model_id": model_id})
        return {crop_id: decode(bytes(vector)) for crop_id, vector in rows}


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 10)


@pytest.fixture
async def crops(database: Database, enrol: Enrol) -> list[NewCrop]:
    await enrol(database, 5, collection="other")
    return await enrol(database, 45)


class TestFit:
    async def test_it_is_fitted_on_the_stored_vectors_of_the_collection(
        self, database: Database, crops: list[NewCrop]
    ) -> None:
        told: list[int] = []
        assert await crops_to_fit_on(database, "default") == 45
        projection = await fit_on_collection(database, "default", 6, told.append)
        stored = np.array([crop.embedding for crop in crops])
        best = np.linalg.svd(stored)[2][:6]
        np.testing.assert_allclose(projection.components.T @ projection.components, best.T @ best, atol=5e-3)
        assert (projection.base_model_id, projection.crops, sum(told)) == (MODEL_ID, 45, 45)

    async def test_without_crops_there_is_nothing_to_fit_on(self, database: Database) -> None:
        with pytest.raises(NotFoundError, match="no collection 'default'"):
            await fit_on_collection(database, "default", 6, unheard)
        async with database.transaction() as session:
            await CollectionRepository(session).ensure_collection("default", MODEL_ID)
        with pytest.raises(InvalidValueError, match="holds no crops"):
            await fit_on_collection(database, "default", 6, unheard)

    async def test_too_few_crops_are_refused(self, database: Database, crops: list[NewCrop]) -> None:
        with pytest.raises(InputError, match="5 crops span 5 dimensions"):
            await fit_on_collection(database, "other", 6, unheard)

    async def test_a_broken_vector_is_named(self, database: Database, crops: list[NewCrop]) -> None:
        async with database.transaction() as session:
            broken = update(Embedding).where(Embedding.crop_id == crops[17].id).values(vector=bytes(64))
            await session.execute(broken)
        with pytest.raises(InvalidValueError, match=f"Crop {crops[17].id}: .* length 0"):
            await fit_on_collection(database, "default", 6, unheard)


class TestProject:
    @pytest.fixture
    async def projection(self, database: Database, crops: list[NewCrop]) -> Projection:
        return await fit_on_collection(database, "default", 6, unheard)

    async def test_followers_of_the_new_model_have_every_crop_of_the_collection(
        self, database: Database, crops: list[NewCrop], projection: Projection
    ) -> None:
        told: list[int] = []
        assert await crops_left(database, "default", projection) == 45
        assert await project_collection(database, "default", projection, told.append)
        assert sum(told) == 45
        assert await model_of(database) == projection.model_id
        held = await followed(database, projection.model_id)
        assert set(held) == {crop.id for crop in crops}
        for crop in crops:
            np.testing.assert_allclose(held[crop.id], projection.apply(crop.embedding[None])[0], atol=2e-3)
        assert await crops_left(database, "default", projection) == 0

    async def test_other_collections_and_the_base_models_vectors_stay(
        self, database: Database, crops: list[NewCrop], projection: Projection
    ) -> None:
        await project_collection(database, "default", projection, unheard)
        assert await model_of(database, "other") == MODEL_ID
        assert len(await followed(database, MODEL_ID)) == 50

    async def test_a_second_time_nothing_is_done(self, database: Database, projection: Projection) -> None:
        await project_collection(database, "default", projection, unheard)
        async with database.reading() as session:
            head = await GalleryRepository(session).head()
        assert not await project_collection(database, "default", projection, unheard)
        async with database.reading() as session:
            assert await GalleryRepository(session).head() == head

    async def test_after_an_interruption_it_goes_on(self, database: Database, projection: Projection) -> None:
        def interrupt(_: int) -> None:
            raise KeyboardInterrupt

        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                await project_collection(database, "default", projection, interrupt)
        assert await crops_left(database, "default", projection) == 25
        assert await model_of(database) == MODEL_ID
        told: list[int] = []
        await project_collection(database, "default", projection, told.append)
        assert sum(told) == 25
        assert len(await followed(database, projection.model_id)) == 45

    async def test_what_is_enrolled_and_deleted_meanwhile_is_in_or_refused_never_lost(
        self,
        database: Database,
        crops: list[NewCrop],
        projection: Projection,
        enrol: Enrol,
        remove: Callable[[AsyncSession, Any], Awaitable[None]],
    ) -> None:
        acknowledged = {crop.id for crop in crops}
        refused = asyncio.Event()

        async def enrol_on() -> None:
            try:
                while True:
                    acknowledged.update(crop.id for crop in await enrol(database, 3, camera_id="late"))
            except ModelMismatchError:
                refused.set()

        async def delete_some() -> None:
            for crop in crops[::4]:
                async with database.transaction() as session:
                    await remove(session, crop.id)
                acknowledged.discard(crop.id)

        async def project() -> None:
            await asyncio.sleep(0.05)
            await project_collection(database, "default", projection, unheard)

        await asyncio.wait_for(asyncio.gather(enrol_on(), enrol_on(), delete_some(), project()), 20)
        assert refused.is_set()
        assert len(acknowledged) > 45 - 12
        assert set(await followed(database, projection.model_id)) == acknowledged

    async def test_an_enrolment_under_way_is_waited_for(
        self, database: Database, crops: list[NewCrop], projection: Projection, add: Enrol
    ) -> None:
        async with database.transaction() as session:
            await CollectionRepository(session).ensure_collection("default", MODEL_ID)  # it has seen the old model
            switching = asyncio.create_task(project_collection(database, "default", projection, unheard))
            await _until_waiting(database)
            [late] = await add(session)
        assert await switching
        assert late.id in await followed(database, projection.model_id)
        with pytest.raises(ModelMismatchError):
            async with database.transaction() as session:
                await add(session)

    async def test_of_two_at_once_both_end_well(self, database: Database, projection: Projection) -> None:
        both = [project_collection(database, "default", projection, unheard) for _ in range(2)]
        assert True in await asyncio.gather(*both)
        assert len(await followed(database, projection.model_id)) == 45

    async def test_of_two_different_ones_at_once_one_is_refused(
        self, database: Database, projection: Projection
    ) -> None:
        other = await fit_on_collection(database, "default", 5, unheard)
        async with database.transaction() as session:
            await CollectionRepository(session).ensure_collection("default", MODEL_ID)
            both = [
                asyncio.create_task(project_collection(database, "default", one, unheard))
                for one in (projection, other)
            ]
            await _until_waiting(database, 2)
        outcomes = await asyncio.gather(*both, return_exceptions=True)
        assert [type(one) for one in outcomes if one is not True] == [ModelMismatchError]
        winner = (projection, other)[outcomes.index(True)]
        assert await model_of(database) == winner.model_id

    async def test_another_models_collection_is_refused(
        self, database: Database, projection: Projection, enrol: Enrol
    ) -> None:
        await enrol(database, 1, collection="foreign", model_id="model-2")
        with pytest.raises(ModelMismatchError, match=r"'foreign' belongs to model model-2, .* fitted on model-1"):
            await project_collection(database, "foreign", projection, unheard)

    async def test_crops_without_a_base_vector_keep_the_collection_at_its_model(
        self, database: Database, crops: list[NewCrop], projection: Projection
    ) -> None:
        async with database.transaction() as session:
            await session.execute(text("DELETE FROM embeddings WHERE crop_id = :id"), {"id": crops[3].id})
        with pytest.raises(InvalidValueError, match="1 crops of 'default' have no vector of model-1"):
            await project_collection(database, "default", projection, unheard)
        assert await model_of(database) == MODEL_ID


async def _until_waiting(database: Database, sessions: int = 1) -> None:
    """Wait until so many sessions wait for the lock that enrolments share."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    async with asyncio.timeout(10):
        while True:
            async with database.reading() as session:
                if (await session.scalar(waiting) or 0) >= sessions:
                    return
            await asyncio.sleep(0.01)


async def test_a_service_with_the_projection_searches_and_enrolls_in_it(
    serve: Any,
    make_settings: Callable[..., Any],
    make_jpeg: Callable[..., bytes],
    *,
    postgres_url: str,
    database: Database,
    tmp_path: Path,
) -> None:
    async def enroll(client: httpx.AsyncClient, *seeds: int) -> httpx.Response:
        files = [("images", ("crop", make_jpeg(seed))) for seed in seeds]
        return await client.post("/gallery", files=files, data={"camera_id": "c"})

    async with serve(make_settings(database_url=postgres_url)) as client:
        enrolled = (await enroll(client, *range(12))).json()["items"]
    projection = await fit_on_collection(database, "default", 8, unheard)
    projection.save(tmp_path / "pca8.safetensors")
    await project_collection(database, "default", projection, unheard)

    async with serve(make_settings(database_url=postgres_url)) as client:
        assert (await enroll(client, 50)).status_code == 409
    async with serve(make_settings(database_url=postgres_url, projection=tmp_path / "pca8.safetensors")) as client:
        assert (await enroll(client, 50)).json()["model_id"] == projection.model_id
        for seed, item in enumerate(enrolled):
            answer = (await client.post("/search", files={"images": make_jpeg(seed)}, data={"k": 1})).json()
            assert answer["hits"][0]["crop"]["id"] == item["id"]
            assert answer["hits"][0]["score"] > 0.999
            assert answer["search"]["candidates"] == 13
