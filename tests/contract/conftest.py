"""The live service and the tools that clients are made with."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.generators import Generators, installed_generators
from support.processes import ServiceProcess, data_folder


@pytest.fixture(scope="session")
def generators() -> Generators:
    """Tools that check descriptions and make clients."""
    return installed_generators()


@pytest.fixture(scope="session")
def live_service(untrained_weights: Path) -> Iterator[str]:
    """Address of the service as a process of its own with its own PostgreSQL."""
    settings = {"weights": untrained_weights, "preset": "tiny", "device": "cpu", "torch_threads": 1}
    with data_folder() as folder, ServiceProcess(folder, **settings) as service:
        yield service.address
