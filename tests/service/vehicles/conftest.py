"""A service that the tests of a module share, a collection for each of them."""

from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import httpx
import pytest
from support.vehicles import Vehicles

from service.runtime import Runtime

_NUMBERS = count()


@pytest.fixture
def collection() -> str:
    """Name of a collection that no other test uses."""
    return f"vehicles-{next(_NUMBERS)}"


@pytest.fixture
def runtime(shared_client: httpx.AsyncClient) -> Runtime:
    """The parts of the service."""
    parts: Runtime = shared_client._transport.app.state.runtime  # type: ignore[attr-defined]
    return parts


@pytest.fixture
def crops(enroll_shared: Callable[..., Awaitable[httpx.Response]], collection: str) -> Callable[..., Any]:
    """Enrols a crop for each dictionary of its fields; their ids."""

    async def enrolled(*items: dict[str, object]) -> list[str]:
        answer = await enroll_shared(*range(len(items)), items=list(items), collection=collection)
        assert answer.status_code == 201, answer.text
        return [item["id"] for item in answer.json()["items"]]

    return enrolled


@pytest.fixture
def vehicles(shared_client: httpx.AsyncClient, collection: str) -> Vehicles:
    """The vehicles of the test's collection."""
    return Vehicles(shared_client, collection)
