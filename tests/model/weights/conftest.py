"""Released files, a server that has them, and a list of releases that says so."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.file_server import FileServer, file_server
from support.published import known_releases, released_file, write_releases

Publish = Callable[..., None]


@pytest.fixture(scope="session")
def tinyclip_file() -> bytes:
    return released_file("semantic", "ViT-8M/16")


@pytest.fixture(scope="session")
def resnet50_file() -> bytes:
    return released_file("appearance", "resnet50_ibn_a")


@pytest.fixture(autouse=True)
def _no_proxy_of_whoever_runs_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server(b"") as files:
        yield files


@pytest.fixture
def publish(tmp_path: Path) -> Iterator[Publish]:
    """Makes releases known instead of those of the package; each is given by what differs from ViT-8M/16's."""
    with ExitStack() as stack:

        def make(*changes: dict[str, object]) -> None:
            stack.enter_context(known_releases(write_releases(tmp_path / "releases.json", *changes)))

        yield make
