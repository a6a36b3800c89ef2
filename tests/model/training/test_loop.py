import csv
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from model.datasets import Crops, DatasetError
from model.embedder import Embedder
from model.evaluation import embed_crops, evaluate_cross_camera
from model.training import Recipe, TrainingError, train
from model.training.loop import COLUMNS, _rate, _Run
from model.weights import load_checkpoint, read_metadata

MakeCrops = Callable[..., Crops]
MakeRecipe = Callable[..., Recipe]


def test_the_loss_falls_and_the_best_epoch_is_kept_with_its_figures(
    tmp_path: Path, make_crops: MakeCrops, make_recipe: MakeRecipe
) -> None:
    choose = make_crops(12, first=100, noise=400)
    rates = dict.fromkeys(make_recipe().learning_rates, 3e-4)
    # All vehicles in one batch: the epochs' losses are means over the same negatives and can be compared.
    recipe = make_recipe(epochs=5, identities_per_batch=12, learning_rates=rates, augmentation={"erase": 0.0, "pad": 2})
    outcome = train(recipe, make_crops(12), choose, tmp_path / "out")

    first, *_, last = outcome.history[1:]
    assert last["identity_loss"] < 0.7 * first["identity_loss"]
    assert last["contrastive_loss"] < 0.7 * first["contrastive_loss"]
    # History starts with the figures before any step, so the epoch's number is its place.
    assert len({row["mAP"] for row in outcome.history}) > 1, "every epoch ranks alike: nothing was chosen"
    assert outcome.epoch == max(range(6), key=lambda epoch: outcome.history[epoch]["mAP"])
    stored = evaluate_cross_camera(embed_crops(Embedder.load(outcome.weights), choose), choose).figures()
    assert outcome.figures == stored
    header = read_metadata(outcome.weights)
    assert json.loads(header["figures"]) == stored
    assert Recipe.model_validate_json(header["recipe"]) == recipe
    assert header["epoch"] == str(outcome.epoch)
    assert outcome.figures["all"]["mAP"] == pytest.approx(outcome.history[outcome.epoch]["mAP"], abs=1.0)
    with (tmp_path / "out" / "tiny.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1", "2", "3", "4", "5"]
    assert tuple(rows[0]) == COLUMNS
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["tiny.csv", "tiny.safetensors"]


def test_a_seed_gives_the_same_file_again_and_another_seed_another(
    tmp_path: Path, make_crops: MakeCrops, make_recipe: MakeRecipe
) -> None:
    learn, choose = make_crops(12), make_crops(12, first=100, noise=400)

    def digest(run: str, seed: int) -> str:
        np.random.random(seed)  # noqa: NPY002 - what was drawn before must not matter
        torch.rand(seed)
        rates = dict.fromkeys(make_recipe().learning_rates, 3e-4)
        outcome = train(make_recipe(seed=seed, learning_rates=rates), learn, choose, tmp_path / run)
        assert outcome.epoch > 0, "the start was kept, so nothing is said about training"
        return hashlib.sha256(outcome.weights.read_bytes()).hexdigest()

    assert digest("a", seed=1) == digest("b", seed=1) != digest("c", seed=2)


def test_frozen_parts_and_fixed_statistics_stay_as_they_were(
    tmp_path: Path, make_crops: MakeCrops, make_recipe: MakeRecipe
) -> None:
    recipe = make_recipe(frozen=["appearance.conv_stem"], fixed_statistics=["appearance"])
    run = _Run(recipe, make_crops(6), make_crops(3, first=100), tmp_path, Console(quiet=True))
    before = {name: value.clone() for name, value in run.network.state_dict().items()}
    run._pass(1)
    moved = {name for name, value in run.network.state_dict().items() if not torch.equal(value, before[name])}
    assert "appearance.conv_stem.weight" not in moved
    assert not {name for name in moved if name.startswith("appearance") and "running" in name}
    assert {"appearance.conv_head.weight", "appearance.bn1.weight", "semantic.class_embedding", "afem.weight"} <= moved
    assert {"fusion.weight", "neck.weight", "neck.running_mean"} <= moved
    assert "neck.bias" not in moved


def test_every_step_takes_its_rate_from_the_schedule(
    tmp_path: Path, make_crops: MakeCrops, make_recipe: MakeRecipe
) -> None:
    recipe = make_recipe(epochs=2, warmup_epochs=0)
    run = _Run(recipe, make_crops(12), make_crops(3, first=100), tmp_path, Console(quiet=True))
    full = [group["lr"] for group in run.optimiser.param_groups]
    assert full == [1e-3] * 6
    run._pass(1)
    assert [group["lr"] for group in run.optimiser.param_groups] == pytest.approx([rate / 2 for rate in full])
    run._pass(2)
    assert [group["lr"] for group in run.optimiser.param_groups] == pytest.approx([0] * 6, abs=1e-12)


def test_learning_rates_rise_linearly_and_then_fall_as_a_cosine() -> None:
    assert [_rate(step, 100, 4) for step in (0, 1, 3)] == pytest.approx([0.25, 0.5, 1.0], rel=3e-3)
    assert _rate(50, 100, 4) == pytest.approx(0.5)
    assert _rate(99, 100, 0) == pytest.approx(0.0, abs=1e-3)
    assert _rate(0, 100, 0) == 1.0


def test_a_loss_that_is_not_finite_ends_the_run_with_advice(
    tmp_path: Path, make_crops: MakeCrops, make_recipe: MakeRecipe
) -> None:
    recipe = make_recipe(learning_rates=dict.fromkeys(make_recipe().learning_rates, 1e30))
    with pytest.raises(TrainingError, match=r"The loss is (nan|inf) in epoch 1: lower the learning rates"):
        train(recipe, make_crops(12), make_crops(3, first=100), tmp_path / "out")
    # The start, measured before the first step, is a whole checkpoint.
    load_checkpoint(tmp_path / "out" / "tiny.safetensors")


def test_a_vehicle_in_both_lists_is_refused(tmp_path: Path, make_crops: MakeCrops, make_recipe: MakeRecipe) -> None:
    with pytest.raises(TrainingError, match="1 vehicle"):
        train(make_recipe(), make_crops(4), make_crops(2, first=3), tmp_path)


def test_one_identity_only_is_refused(tmp_path: Path, make_crops: MakeCrops, make_recipe: MakeRecipe) -> None:
    with pytest.raises(DatasetError, match="at least 2"):
        train(make_recipe(), make_crops(1), make_crops(2, first=100), tmp_path)


def test_a_part_without_learning_rate_is_refused(
    tmp_path: Path, make_crops: MakeCrops, make_recipe: MakeRecipe
) -> None:
    with pytest.raises(TrainingError, match="no learning rate for semantic"):
        train(make_recipe(learning_rates={"appearance": 1e-3}), make_crops(2), make_crops(2, first=100), tmp_path)
