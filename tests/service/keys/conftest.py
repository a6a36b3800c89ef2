"""A service that asks for keys."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from support.keys import header

from service.settings import Settings


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded(
    serve: Callable[[Settings], AbstractAsyncContextManager[httpx.AsyncClient]],
    untrained_weights: Path,
    shared_postgres_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client, without a key, of a service that asks for one; the tests of a module share it."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("service"),
        database_url=shared_postgres_url,
        auth="on",
        weights=untrained_weights,
        preset="tiny",
        device="cpu",
        torch_threads=1,
    )
    async with serve(settings) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(shared_postgres_url: str) -> dict[str, str]:
    """The header of an admin's key that is bound to no collection."""
    return await header(shared_postgres_url, "admin", name="operations")
