"""The live service, which asks for a key, and the tools that clients are made with."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.generators import Generators, installed_generators
from support.keys import header
from support.processes import ServiceProcess, data_folder


@pytest.fixture(scope="session")
def generators() -> Generators:
    """Tools that check descriptions and make clients."""
    return installed_generators()


@pytest.fixture(scope="module")
def guarded_service(untrained_weights: Path, shared_postgres_url: str) -> Iterator[tuple[str, str]]:
    """Address of the service as a process of its own, and a key that may do everything."""
    settings = {"weights": untrained_weights, "preset": "tiny", "device": "cpu", "torch_threads": 1}
    key = asyncio.run(header(shared_postgres_url, "enroll", "search", "read", "delete", "admin"))["X-API-Key"]
    with (
        data_folder() as folder,
        ServiceProcess(
            folder, auth="on", webhook_allowed="127.0.0.1", database_url=shared_postgres_url, **settings
        ) as service,
    ):
        yield service.address, key
