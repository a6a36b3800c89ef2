"""A server that is not there, goes away or comes back; addresses with credentials."""

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from milvus_lite.adapter.grpc.server import start_server_in_thread

from index.contract import Filter, Sighting
from index.errors import IndexUnavailableError
from index.milvus.connection import _arguments
from index.milvus.index import MilvusIndex, MilvusOptions

EAST = np.array([1, 0], dtype=np.float32)
IMPATIENT = MilvusOptions(kind="FLAT", timeout_s=2)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """Milvus Lite on a port, to be stopped and started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = 0
        self.start()

    def start(self) -> None:
        self._server, self._database, self.port = start_server_in_thread(str(self._folder), port=self.port)

    def stop(self) -> None:
        self._server.stop(grace=0).wait()
        self._database.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path / "milvus")
    yield running
    running.stop()


def test_a_server_that_is_not_there_is_one_error_within_the_time_given() -> None:
    began = time.monotonic()
    with pytest.raises(IndexUnavailableError, match=r"Milvus at http://127\.0\.0\.1:\d+ does not answer") as caught:
        MilvusIndex(2, f"http://root:secret@127.0.0.1:{free_port()}", options=IMPATIENT)
    assert time.monotonic() - began < 10
    assert "secret" not in str(caught.value)


CALLS: dict[str, Callable[[MilvusIndex], object]] = {
    "search": lambda index: index.search(EAST[None], 1, Filter("c")),
    "apply": lambda index: index.apply([Sighting(UUID(int=2), "c", EAST, "cam")], [], 2),
    "stats": lambda index: index.stats(),
    "camera_statistics": lambda index: index.camera_statistics("c"),
    "watermark": lambda index: index.watermark,
    "maintain": lambda index: index.maintain(),
    "reset": lambda index: index.reset(),
}


def test_a_server_that_goes_away_is_an_error_of_every_call_until_it_is_back(server: Server) -> None:
    index = MilvusIndex(2, f"http://127.0.0.1:{server.port}", options=IMPATIENT)
    index.apply([Sighting(UUID(int=1), "c", EAST, "cam")], [], 1)
    server.stop()
    for call in CALLS.values():
        began = time.monotonic()
        with pytest.raises(IndexUnavailableError, match="does not answer"):
            call(index)
        assert time.monotonic() - began < 10
    server.start()
    end = time.monotonic() + 30
    while True:
        try:
            hits = index.search(EAST[None], 5, Filter("c"))[0].hits
            break
        except IndexUnavailableError:
            assert time.monotonic() < end
    assert [hit.sighting.id.int for hit in hits] == [1]
    index.apply([Sighting(UUID(int=2), "c", EAST, "cam")], [], 2)
    assert index.stats().collections["c"].crops == 2
    index.close()


@pytest.mark.parametrize(
    ("url", "arguments"),
    [
        ("folder/milvus.db", {"uri": "folder/milvus.db", "grpc_options": {"grpc.keepalive_time_ms": 600_000}}),
        ("http://milvus", {"uri": "http://milvus:19530"}),
        ("https://milvus:1/cars", {"uri": "https://milvus:1", "db_name": "cars"}),
        ("http://root:p%40ss@[::1]:2", {"uri": "http://[::1]:2", "user": "root", "password": "p@ss"}),
        ("https://token@cloud", {"uri": "https://cloud:19530", "token": "token"}),
    ],
)
def test_addresses(url: str, arguments: dict[str, str]) -> None:
    assert _arguments(url) == arguments


@pytest.mark.parametrize("url", ["ftp://milvus", "http://", "tcp://root:secret@milvus:19530"])
def test_an_address_that_is_none_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValueError, match="http://") as caught:
        MilvusIndex(2, url)
    assert "secret" not in str(caught.value)
