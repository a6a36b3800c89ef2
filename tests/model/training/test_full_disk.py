"""A disk that takes no more, simulated by the system's own limit on the size of files."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.training import Generated, start_run

from model.training import Options, Recipe, train
from model.training.state import load_state
from model.weights import load_checkpoint

MakeData = Callable[..., Generated]
MakeRecipe = Callable[..., Recipe]
PATIENCE_S = 120


@pytest.fixture
def data(make_data: MakeData) -> Generated:
    return make_data()


@pytest.fixture
def recipe(make_recipe: MakeRecipe) -> Recipe:
    return make_recipe(small=True, epochs=2, learning_rates=3e-4)


def limited(recipe: Recipe, data: Generated, out: Path, most: int, **options: object) -> str:
    """What a run says that can write no file of more bytes."""
    log = out.with_suffix(".log")
    log.unlink(missing_ok=True)
    process = start_run(recipe.model_dump_json(), data, out, log, bytes_per_file=most, **options)
    process.join(PATIENCE_S)
    assert process.exitcode == 1, log.read_text()
    return log.read_text()


def test_a_run_that_cannot_save_its_first_state_leaves_nothing(recipe: Recipe, data: Generated, tmp_path: Path) -> None:
    said = limited(recipe, data, tmp_path / "out", most=1_000_000)
    assert "state.pt cannot be written: File too large" in said
    assert list((tmp_path / "out").iterdir()) == []
    train(recipe, data, tmp_path / "out")


def test_a_run_that_fills_the_disk_keeps_its_state_and_goes_on_when_there_is_room(
    recipe: Recipe, data: Generated, tmp_path: Path
) -> None:
    train(recipe, data, tmp_path / "undisturbed")
    out = tmp_path / "out"
    process = start_run(recipe.model_dump_json(), data, out, tmp_path / "log")
    deadline = time.monotonic() + PATIENCE_S
    while not (out / "small.safetensors").is_file():
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(process.pid or 0, signal.SIGINT)
    process.join(PATIENCE_S)
    assert process.exitcode == 130, (tmp_path / "log").read_text()

    state, kept = (out / "state.pt").stat().st_size, (out / "small.safetensors").stat().st_size
    before = (out / "small.safetensors").read_bytes()
    assert kept < state / 2
    limits = {"metrics": 300, "small.last.safetensors": kept // 2, "state.pt": state // 2}
    for unwritable, most in limits.items():
        said = limited(recipe, data, out, most, resume=True)
        assert unwritable in said, said
        assert "cannot be written" in said
        assert "File too large" in said
        load_state(out / "state.pt")
        load_checkpoint(out / "small.safetensors")
        if unwritable != "state.pt":
            assert (out / "small.safetensors").read_bytes() == before
        assert not [path for path in out.iterdir() if path.name.startswith(".")]
    outcome = train(recipe, data, out, Options(resume=True))
    assert outcome.weights.read_bytes() == (tmp_path / "undisturbed" / "small.safetensors").read_bytes()
