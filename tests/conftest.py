"""Real parts for every test that wants them.

One embedded PostgreSQL serves the run, with a fresh database for each test; the network is small and untrained.
"""

import io
import json
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

import httpx
import numpy as np
import psycopg
import pytest
import pytest_asyncio
import torch
from PIL import Image
from psycopg import sql
from sqlalchemy.engine import make_url
from support.environment import settings_in

from model.network import CLIPSENet
from model.presets import Preset
from model.weights import save_checkpoint
from service.app import create_app
from service.database.embedded import EmbeddedPostgres
from service.database.engine import Database
from service.database.migrate import upgrade
from service.settings import Settings


@pytest.fixture(scope="session", autouse=True)
def ctrl_c() -> None:
    """Lets SIGINT reach the processes that tests start."""
    # A shell that runs the tests in the background has them ignore it, and what is ignored is inherited.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_whoever_runs_the_tests() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in settings_in(os.environ):
            patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """SQLAlchemy URL of a server whose database `template` is migrated and stays empty."""
    with tempfile.TemporaryDirectory(prefix="clip-senet-") as folder:
        server = EmbeddedPostgres(Path(folder) / "postgres")
        url = server.start()
        _execute(url, "ALTER SYSTEM SET fsync = off")  # these databases live for seconds; nothing is to survive
        _execute(url, "SELECT pg_reload_conf()")
        _execute(url, "CREATE DATABASE template TEMPLATE template0")
        upgrade(_url(url, "template"))
        yield url
        server.stop()


@pytest.fixture
def empty_postgres_url(postgres_server: str) -> Iterator[str]:
    """SQLAlchemy URL of a fresh database without tables."""
    yield from _fresh_database(postgres_server, "template0")


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """SQLAlchemy URL of a fresh, migrated database."""
    yield from _fresh_database(postgres_server, "template")


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    """A fresh, migrated database."""
    database = Database(postgres_url, pool_size=5)
    yield database
    await database.close()


def _fresh_database(server: str, template: str) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    _execute(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _url(server, name)
    _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def _url(server: str, database: str) -> str:
    return make_url(server).set(database=database).render_as_string(hide_password=False)


def _execute(server: str, statement: str) -> None:
    address = make_url(server).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(sql.SQL(statement))


@pytest.fixture(scope="session")
def untrained_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a real but small network, untrained, of preset "tiny"; the same in every run."""
    appearance, semantic = {"kind": "efficientnet_lite0"}, {"tower": "ViT-8M/16"}
    preset = Preset(name="tiny", image_size=32, embedding_dim=64, appearance=appearance, semantic=semantic)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        save_checkpoint(path, CLIPSENet(preset), preset, half=True)
    return path


@pytest.fixture(scope="session")
def two_camera(pytestconfig: pytest.Config) -> Path:
    """The two-camera set (Khoa-Nguyen-Truong/Vehicle-Re-ID-Dataset), which lies beside the repository or nowhere."""
    folder = pytestconfig.rootpath.parent / "shared" / "data" / "two-camera"
    if not folder.is_dir():
        pytest.skip("the two-camera set is not beside the repository")
    return folder


@pytest.fixture
def make_settings(untrained_weights: Path, tmp_path: Path) -> Callable[..., Settings]:
    """Settings of a service with the untrained network and its data in a folder of the test; `changes` are settings."""
    return partial(_settings, untrained_weights, tmp_path / "data")


def _settings(weights: Path, data_dir: Path, **changes: object) -> Settings:
    defaults = {
        "data_dir": data_dir,
        "weights": weights,
        "preset": "tiny",
        "device": "cpu",
        "torch_threads": 1,
        "batch_size": 4,
        "follower_poll_s": 0.05,
    }
    return Settings.model_validate(defaults | changes)


@pytest.fixture(scope="session")
def make_picture() -> Callable[..., Image.Image]:
    """A colourful picture, another for each seed."""

    def make(seed: int, size: tuple[int, int] = (96, 64)) -> Image.Image:
        coarse = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
        return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)

    return make


@pytest.fixture(scope="session")
def make_jpeg(make_picture: Callable[..., Image.Image]) -> Callable[..., bytes]:
    """A JPEG file, another for each seed; further arguments go to Pillow's `save`."""

    def make(seed: int, size: tuple[int, int] = (96, 64), **options: object) -> bytes:
        buffer = io.BytesIO()
        make_picture(seed, size).save(buffer, "JPEG", **{"quality": 92, **options})
        return buffer.getvalue()

    return make


Serve = Callable[[Settings], AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture(scope="session")
def serve() -> Serve:
    """Runs the whole application, its parts included, behind an HTTP client."""

    @asynccontextmanager
    async def running(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
        app = create_app(settings)
        transport = httpx.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client,
        ):
            yield client

    return running


@pytest.fixture
async def client(
    serve: Serve, make_settings: Callable[..., Settings], postgres_url: str
) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of a service with an empty gallery."""
    async with serve(make_settings(database_url=postgres_url)) as client:
        yield client


@pytest.fixture(scope="module")
def shared_postgres_url(postgres_server: str) -> Iterator[str]:
    """SQLAlchemy URL of a migrated database that the tests of a module share."""
    yield from _fresh_database(postgres_server, "template")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_client(
    serve: Serve, untrained_weights: Path, shared_postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of a service that the tests of a module share; they run in the module's event loop."""
    folder = tmp_path_factory.mktemp("service")
    async with serve(_settings(untrained_weights, folder, database_url=shared_postgres_url)) as client:
        yield client


Enroll = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
def enroll(client: httpx.AsyncClient, make_jpeg: Callable[..., bytes]) -> Enroll:
    """Enrolls pictures over HTTP: integers are seeds of `make_jpeg`, bytes are files; `fields` are form fields."""
    return partial(_enroll, client, make_jpeg)


@pytest.fixture(scope="module")
def enroll_shared(shared_client: httpx.AsyncClient, make_jpeg: Callable[..., bytes]) -> Enroll:
    """As `enroll`, in the service that the module shares."""
    return partial(_enroll, shared_client, make_jpeg)


@pytest.fixture
def search(client: httpx.AsyncClient, make_jpeg: Callable[..., bytes]) -> Enroll:
    """Searches by pictures over HTTP: integers are seeds of `make_jpeg`, bytes are files; `fields` are form fields."""
    return partial(_search, client, make_jpeg)


@pytest.fixture(scope="module")
def search_shared(shared_client: httpx.AsyncClient, make_jpeg: Callable[..., bytes]) -> Enroll:
    """As `search`, in the service that the module shares."""
    return partial(_search, shared_client, make_jpeg)


async def _enroll(
    client: httpx.AsyncClient,
    make_jpeg: Callable[..., bytes],
    *pictures: int | bytes,
    items: object = None,
    **fields: object,
) -> httpx.Response:
    data = {"camera_id": "camera-1", **fields}
    if items is not None:
        data["items"] = items if isinstance(items, str) else json.dumps(items)
    files = [("images", ("crop", make_jpeg(one) if isinstance(one, int) else one)) for one in pictures]
    given = {name: value for name, value in data.items() if value is not None}
    return await client.post("/gallery", files=files, data=given)


async def _search(
    client: httpx.AsyncClient, make_jpeg: Callable[..., bytes], *pictures: int | bytes, **fields: object
) -> httpx.Response:
    files = [("images", ("query", make_jpeg(one) if isinstance(one, int) else one)) for one in pictures]
    return await client.post("/search", files=files, data=fields)
