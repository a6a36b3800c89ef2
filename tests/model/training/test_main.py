import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner

from model.datasets import Crops
from model.training import Recipe
from model.training.__main__ import main
from model.weights import read_metadata


def run(*arguments: object) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(main)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "160"})
    return result.exit_code, result.output


@pytest.fixture
def data(tmp_path: Path, make_crops: Callable[..., Crops]) -> Path:
    """A two-camera set of generated vehicles."""
    (tmp_path / "set" / "images").mkdir(parents=True)
    for split, crops in (("train", make_crops(6)), ("val", make_crops(3, first=50))):
        names = []
        for crop in crops:
            number, camera = crop.path.stem.split("_")
            names.append(f"car_{int(number):04}_cam{int(camera) + 1}.png")
            shutil.copy(crop.path, tmp_path / "set" / "images" / names[-1])
        (tmp_path / "set" / f"{split}.txt").write_text("\n".join(names))
    return tmp_path / "set"


def test_trains_and_says_what_was_kept(tmp_path: Path, data: Path, make_recipe: Callable[..., Recipe]) -> None:
    recipe = tmp_path / "recipe.json"
    recipe.write_text(make_recipe(name="mine", epochs=1).model_dump_json())
    threads = torch.get_num_threads()
    code, output = run("--data", data, "--out", tmp_path / "out", "--recipe", recipe, "--threads", threads)
    assert code == 0, output
    assert "Kept epoch" in output
    header = read_metadata(tmp_path / "out" / "mine.safetensors")
    assert (header["train"], header["val"]) == ("set train", "set val")


def test_missing_data_is_said_in_a_sentence_and_nothing_is_written(tmp_path: Path) -> None:
    code, output = run("--data", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert code == 1
    assert "There is no folder" in output
    assert not (tmp_path / "out").exists()


def test_unknown_recipe(tmp_path: Path, data: Path) -> None:
    code, output = run("--data", data, "--out", tmp_path / "out", "--recipe", "nothing")
    assert code == 1
    assert "there are starter" in output
