import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.environment import plain_environment
from typer.testing import CliRunner, Result

from model.training import load_recipe
from model.weights import read_metadata
from service.cli import app

PATIENCE_S = 120


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """The number of threads decides the last bits of a sum."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def run(*arguments: object) -> Result:
    command = ["train", *map(str, arguments), "--threads", "1"]
    return CliRunner().invoke(app, command, env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A two-camera set of generated vehicles: two patches of colour each."""
    folder = tmp_path_factory.mktemp("data") / "set"
    (folder / "images").mkdir(parents=True)
    for split, numbers in (("train", range(8)), ("val", range(50, 54))):
        names = []
        for number in numbers:
            colours = np.random.default_rng(number).integers(0, 256, (2, 3))
            for camera in (1, 2):
                grain = np.random.default_rng((number, camera)).integers(-90, 90, (40, 48, 3))
                picture = (np.repeat(colours, 20, axis=0)[:, None, :] + grain).clip(0, 255).astype(np.uint8)
                names.append(f"car_{number:04}_cam{camera}.png")
                Image.fromarray(picture).save(folder / "images" / names[-1])
        (folder / f"{split}.txt").write_text("\n".join(names))
    return folder


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe of a small network, by its file."""
    folder = tmp_path_factory.mktemp("recipe")
    preset = {
        "name": "small",
        "image_size": 32,
        "embedding_dim": 32,
        "appearance": {"kind": "efficientnet_lite0"},
        "semantic": None,
        "afem": None,
    }
    (folder / "preset.json").write_text(json.dumps(preset))
    content = {
        "name": "mine",
        "preset": str(folder / "preset.json"),
        "epochs": 2,
        "identities_per_batch": 4,
        "learning_rates": 1e-3,
    }
    (folder / "recipe.json").write_text(json.dumps(content))
    return folder / "recipe.json"


def test_trains_says_what_was_kept_and_leaves_weights_and_card(
    tmp_path: Path, data: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/clip-senet", "train", "--data", "my crops"])
    result = run("--data", data, "--out", tmp_path / "out", "--recipe", recipe)
    assert result.exit_code == 0, result.output
    assert "Kept epoch" in result.stdout
    assert str(tmp_path / "out" / "mine.safetensors") in result.stdout
    assert "epoch   2  identity" in result.stderr
    header = read_metadata(tmp_path / "out" / "mine.safetensors")
    assert (header["train"], header["val"]) == ("set train", "set val")
    card = (tmp_path / "out" / "mine.md").read_text()
    assert "\nclip-senet train --data 'my crops'\n" in card, "the card gives the command as it was typed"


def test_ctrl_c_saves_and_says_how_to_go_on_to_the_same_weights(tmp_path: Path, data: Path, recipe: Path) -> None:
    command = ["--data", data, "--recipe", recipe, "--keep", "last"]
    assert run(*command, "--out", tmp_path / "undisturbed").exit_code == 0
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "service.cli", "train", *map(str, command), "--out", str(out), "--threads", "1"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=plain_environment(),
    )
    deadline = time.monotonic() + PATIENCE_S
    while not (out / "tensorboard").is_dir():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, stderr
    assert "Stopped by SIGINT" in stderr
    assert "the same command with --resume goes on from here" in stderr
    assert "Traceback" not in stderr
    assert stdout == ""

    refused = run(*command, "--out", out)
    assert refused.exit_code == 1
    assert "holds a run: go on with it by --resume" in refused.stderr
    assert run(*command, "--out", out, "--resume").exit_code == 0
    assert (out / "mine.safetensors").read_bytes() == (tmp_path / "undisturbed" / "mine.safetensors").read_bytes()


def test_what_is_wrong_is_said_in_a_sentence_and_nothing_is_written(tmp_path: Path, data: Path, recipe: Path) -> None:
    (tmp_path / "empty").mkdir()
    cases = {
        "There is no folder": ["--data", tmp_path / "nowhere"],
        "found nothing": ["--data", tmp_path / "empty"],
        "No recipe is called 'nothing'": ["--data", data, "--recipe", "nothing"],
        "A checkpoint has all parts": ["--data", data, "--initial-network", "a", "--initial-semantic", "b"],
        "4 devices need a process each": ["--data", data, "--devices", "4"],
    }
    for sentence, arguments in cases.items():
        result = run("--out", tmp_path / "out", "--recipe", recipe, *arguments)
        assert result.exit_code == 1, sentence
        assert sentence in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1, result.stderr
        assert not list((tmp_path / "out").glob("*"))


def test_initial_weights_that_are_not_here_name_the_command_that_gets_them(tmp_path: Path, data: Path) -> None:
    fewer = load_recipe("veri776").model_copy(update={"identities_per_batch": 4})
    (tmp_path / "fewer.json").write_text(fewer.model_dump_json())
    result = CliRunner().invoke(
        app,
        ["train", "--data", str(data), "--out", str(tmp_path / "out"), "--recipe", str(tmp_path / "fewer.json")],
        env={"CLIP_SENET_WEIGHTS_DIR": str(tmp_path / "store")},
    )
    assert result.exit_code == 1
    assert "clip-senet weights fetch resnext101_ibn_a" in result.stderr


def test_a_number_of_devices_is_a_number(tmp_path: Path, data: Path) -> None:
    result = run("--data", data, "--out", tmp_path / "out", "--devices", "many")
    assert result.exit_code == 2
    assert "neither auto nor a number" in result.stderr


def test_a_seed_is_one_that_a_recipe_could_have(tmp_path: Path, data: Path) -> None:
    result = run("--data", data, "--out", tmp_path / "out", "--seed", 2**32)
    assert result.exit_code == 2
    assert "--seed" in result.stderr
