"""`clip-senet reembed` as a person uses it, on the service's own database and pictures."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from uuid import UUID

import httpx
import pytest
import torch
from typer.testing import CliRunner

from model.network import CLIPSENet
from model.presets import Preset
from model.weights import save_checkpoint
from service.cli import app
from service.settings import Settings

Serve = Callable[[Settings], AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def other_weights(tmp_path: Path) -> Path:
    """Another small network, untrained."""
    appearance, semantic = {"kind": "efficientnet_lite0"}, {"tower": "ViT-8M/16"}
    preset = Preset(name="tiny", image_size=32, embedding_dim=64, appearance=appearance, semantic=semantic)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(9)
        save_checkpoint(tmp_path / "other.safetensors", CLIPSENet(preset), preset, half=True)
    return tmp_path / "other.safetensors"


@pytest.fixture
def filled(
    serve: Serve,
    make_settings: Callable[..., Settings],
    make_jpeg: Callable[..., bytes],
    postgres_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Settings:
    """The settings of a service that has stopped; it has four crops, and the picture of one is gone."""
    settings = make_settings(database_url=postgres_url)

    async def fill() -> None:
        async with serve(settings) as client:
            files = [("images", ("crop", make_jpeg(seed))) for seed in range(4)]
            answer = await client.post("/gallery", files=files, data={"camera_id": "a"})
            runtime = client._transport.app.state.runtime  # type: ignore[attr-defined]
            await runtime.store.delete(UUID(answer.json()["items"][0]["id"]))

    asyncio.run(fill())
    monkeypatch.setenv("CLIP_SENET_DATABASE_URL", postgres_url)
    monkeypatch.setenv("CLIP_SENET_PRESET", "tiny")
    monkeypatch.setenv("CLIP_SENET_DEVICE", "cpu")
    return settings


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["reembed", *map(str, arguments)])
    return result.exit_code, result.stdout, " ".join(result.stderr.split())


def test_a_collection_is_moved(filled: Settings, other_weights: Path) -> None:
    command = ("--collection", "default", "--weights", other_weights, "--data-dir", filled.data_dir)
    status, out, remarks = run(*command)
    assert (status, out) == (1, "")
    assert "1 crops of 'default' have no picture that can be read, so the collection keeps its model" in remarks
    status, out, remarks = run(*command, "--drop-without-picture")
    assert status == 0, remarks
    assert out.startswith("default is of model tiny-")
    assert remarks == "0 crops embedded, 1 deleted."
    assert run(*command)[::2] == (0, "0 crops embedded, 0 deleted.")


def test_what_cannot_be_done_is_said_in_a_sentence(filled: Settings, other_weights: Path, tmp_path: Path) -> None:
    common = ("--weights", other_weights)
    for arguments, sentence in [
        (("--collection", "none", *common, "--data-dir", filled.data_dir), "There is no collection 'none'"),
        (("--collection", "default", *common, "--data-dir", tmp_path / "empty"), "There are no stored pictures in"),
        (("--collection", "default", "--weights", tmp_path / "none", "--data-dir", filled.data_dir), "none"),
    ]:
        status, out, remarks = run(*arguments)
        assert (status, out) == (1, "")
        assert sentence in remarks
