"""`clip-senet projection` as a person uses it, on the service's own database."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from service.cli import app
from service.database.engine import Database


@pytest.fixture
def filled(
    postgres_url: str, enrol: Callable[..., Awaitable[object]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Path:
    """A collection of 40 crops in the database of the environment; a folder for files."""

    async def fill() -> None:
        database = Database(postgres_url, pool_size=2)
        await enrol(database, 40)
        await database.close()

    asyncio.run(fill())
    monkeypatch.setenv("CLIP_SENET_DATABASE_URL", postgres_url)
    return tmp_path


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["projection", *map(str, arguments)])
    return result.exit_code, result.stdout, " ".join(result.stderr.split())


def test_fit_and_apply(filled: Path) -> None:
    file = filled / "pca8.safetensors"
    status, out, _ = run("fit", "--collection", "default", "--dimension", 8, "--out", file)
    assert status == 0
    assert "of 40 crops in 8 of 32 components" in out
    model_id = out.split("Model: ")[1].strip()
    assert model_id.startswith("model-1-pca8-")

    status, out, remarks = run("apply", "--collection", "default", "--projection", file)
    assert (status, out) == (0, f"default is of model {model_id} now.\n")
    assert f"CLIP_SENET_PROJECTION={file}" in remarks
    status, out, _ = run("apply", "--collection", "default", "--projection", file)
    assert (status, out) == (0, f"default is of model {model_id} already.\n")

    status, _, remarks = run("fit", "--collection", "default", "--dimension", 4, "--out", filled / "again")
    assert status == 1
    assert "are projected already" in remarks
    assert not (filled / "again").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("fit", "--collection", "none", "--dimension", 8, "--out", "{}/a"), "There is no collection 'none'"),
        (("fit", "--collection", "default", "--dimension", 32, "--out", "{}/a"), "must be from 1 to 31"),
        (("fit", "--collection", "default", "--dimension", 8, "--out", "{}/b/a"), "There is no folder {}/b"),
        (("apply", "--collection", "default", "--projection", "{}/a"), "There is no projection at {}/a"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(filled: Path, arguments: tuple[object, ...], sentence: str) -> None:
    status, out, remarks = run(*(str(one).format(filled) for one in arguments))
    assert (status, out) == (1, "")
    assert sentence.format(filled) in remarks
    assert list(filled.glob("a*")) == []


def test_a_wrong_setting_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLIP_SENET_DATABASE_URL", "mysql://host/name")
    status, _, remarks = run("fit", "--collection", "c", "--dimension", 8, "--out", tmp_path / "a")
    assert status == 1
    assert "must be PostgreSQL" in remarks
