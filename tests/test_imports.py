"""The walls between the packages, read from the source: who may import whom, and which library belongs where."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("service", "model", "index", "migrations")

FORBIDDEN_PACKAGES = {
    "service": set(),
    "model": {"service", "index", "migrations"},
    "index": {"service", "model", "migrations"},
    "migrations": {"model", "index"},
}

LIBRARIES_OF_MODEL = {"torch", "torchvision", "open_clip", "timm", "safetensors", "pytorch_metric_learning"}
LIBRARIES_OF_INDEX = {"faiss", "pymilvus"}
LIBRARIES_OF_THE_DATABASE = {"sqlalchemy", "psycopg", "alembic"}


def imported(source: str, path: Path) -> Iterator[str]:
    """Top-level names of all modules that a module imports, wherever the statement stands, relative ones resolved."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = path.parts[: -node.level]
            yield base[0] if base else (node.module or node.names[0].name).partition(".")[0]
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]
        elif isinstance(node, ast.Call) and _called(node.func) in {"import_module", "__import__", "find_spec"}:
            yield from (
                argument.value.partition(".")[0]
                for argument in node.args[:1]
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            )


def _called(function: ast.expr) -> str:
    return getattr(function, "attr", None) or getattr(function, "id", "")


def may_speak_sql(path: Path) -> bool:
    """Whether a module, given relative to the root, is where SQL belongs."""
    if path.parts[0] == "migrations" or path.parts[:2] == ("service", "database"):
        return True
    return path.parts[0] == "service" and (path.stem.endswith("repository") or "repositories" in path.parts)


def faults(source: str, path: Path) -> list[str]:
    """Imports that break a wall."""
    package = path.parts[0]
    names = set(imported(source, path))
    wrong = names & FORBIDDEN_PACKAGES[package]
    if package != "model":
        wrong |= names & LIBRARIES_OF_MODEL
    if package != "index":
        wrong |= names & LIBRARIES_OF_INDEX
    if not may_speak_sql(path):
        wrong |= names & LIBRARIES_OF_THE_DATABASE
    return sorted(wrong)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_breaks_a_wall(package: str) -> None:
    modules = sorted((ROOT / package).rglob("*.py"))
    assert modules, f"{package} has no modules"
    broken = {
        str(module.relative_to(ROOT)): wrong
        for module in modules
        if (wrong := faults(module.read_text(encoding="utf-8"), module.relative_to(ROOT)))
    }
    assert broken == {}


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("model/a.py", "import service.errors", ["service"]),
        ("model/a.py", "from index.contract import Hit", ["index"]),
        ("index/a.py", "def f():\n    from model import embedder", ["model"]),
        ("index/a.py", "if TYPE_CHECKING:\n    import service", ["service"]),
        ("index/rerank/a.py", "from ...service import errors", ["service"]),
        ("index/rerank/a.py", "from ..contract import Hit", []),
        ("index/a.py", "import importlib\nimportlib.import_module('model.network')", ["model"]),
        ("index/a.py", "__import__('sqlalchemy.orm')", ["sqlalchemy"]),
        ("index/a.py", "import torch.nn as nn", ["torch"]),
        ("service/a.py", "import numpy, faiss", ["faiss"]),
        ("service/a.py", "from torch import nn", ["torch"]),
        ("service/gallery/service.py", "from sqlalchemy import select", ["sqlalchemy"]),
        ("service/gallery/repository.py", "from sqlalchemy import select", []),
        ("service/follower_repository.py", "from sqlalchemy import select", []),
        ("service/repositories/crops.py", "from sqlalchemy import select", []),
        ("service/database/engine.py", "import sqlalchemy.ext.asyncio", []),
        ("model/repository.py", "import sqlalchemy", ["sqlalchemy"]),
        ("migrations/env.py", "from alembic import context", []),
        ("service/a.py", "import model.embedder, index.exact", []),
    ],
)
def test_a_breach_is_seen(path: str, source: str, expected: list[str]) -> None:
    assert faults(source, Path(path)) == expected
