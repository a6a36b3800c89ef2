"""Data sets in the layouts as released, with a handful of empty files for crops: no reader decodes one."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest

MakeTree = Callable[..., Path]


@pytest.fixture
def make_tree(tmp_path: Path) -> MakeTree:
    """Makes a folder of text files (`lists`: text by path below it) and empty ones (`crops`: paths below it)."""

    def make(lists: Mapping[str, str] | None = None, crops: Iterable[str] = (), name: str = "set") -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        for path, text in [*(lists or {}).items(), *((crop, "") for crop in crops)]:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        return folder

    return make


@pytest.fixture(scope="session")
def protocol(pytestconfig: pytest.Config) -> Path:
    """The lists of the three benchmarks as released, which lie beside the repository or nowhere."""
    folder = pytestconfig.rootpath.parent / "shared" / "data" / "protocol"
    if not folder.is_dir():
        pytest.skip("the benchmarks' lists are not beside the repository")
    return folder
