import copy
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from support.training import Generated

from model.errors import WeightsError
from model.presets import CameraTable, Preset, load_preset
from model.training import Options, Recipe, TrainingError
from model.training.batches import Draw, EpochBatches
from model.training.data import TrainingCrops
from model.training.devices import open_fabric
from model.training.engine import Engine
from model.weights import WeightsStore

MakeData = Callable[..., Generated]
MakeRecipe = Callable[..., Recipe]


def engine(recipe: Recipe, data: Generated, fabric: Fabric, **options: object) -> Engine:
    return Engine(recipe, load_preset(recipe.preset), data.learn, Options(**options), fabric)  # type: ignore[arg-type]


def test_frozen_parts_and_fixed_statistics_stay_as_they_were(
    make_data: MakeData, make_recipe: MakeRecipe, fabric: Fabric
) -> None:
    run = engine(make_recipe(frozen=["appearance.conv_stem"], fixed_statistics=["appearance"]), make_data(6), fabric)
    before = {name: value.clone() for name, value in run.network.state_dict().items()}
    list(run.epoch(1, 0))
    moved = {name for name, value in run.network.state_dict().items() if not torch.equal(value, before[name])}
    assert "appearance.conv_stem.weight" not in moved
    assert not {name for name in moved if name.startswith("appearance") and "running" in name}
    assert {"appearance.conv_head.weight", "appearance.bn1.weight", "semantic.class_embedding", "afem.weight"} <= moved
    assert {"fusion.weight", "neck.weight", "neck.running_mean"} <= moved
    assert "neck.bias" not in moved


def test_every_step_takes_its_rate_from_the_schedule(
    make_data: MakeData, make_recipe: MakeRecipe, fabric: Fabric
) -> None:
    run = engine(make_recipe(small=True, epochs=2, warmup_epochs=0), make_data(12), fabric)
    taken = [step.share for epoch in (1, 2) for step in run.epoch(epoch, 0)]
    assert taken == pytest.approx([0.5 * (1 + math.cos(math.pi * step / 6)) for step in range(6)])


def test_a_step_is_the_papers_loss_over_the_whole_batch(
    make_data: MakeData, make_recipe: MakeRecipe, fabric: Fabric
) -> None:
    recipe, data = make_recipe(small=True, identities_per_batch=6), make_data(6)
    run = engine(recipe, data, fabric)
    crops = TrainingCrops(data.learn, 32, recipe.augmentation, recipe.seed, budget=2**30)
    (order,) = EpochBatches(crops.labels, recipe).of(1)
    images = torch.stack([crops[Draw(1, place, int(crop))][0] for place, crop in enumerate(order)])
    twin = engine(recipe, data, fabric)
    twin.network.train()
    neck = twin.network(images).neck
    labels = torch.from_numpy(crops.labels[order])
    classifier = twin.tensors()["learner"]["objective.terms.identity.classifier.weight"]
    (step,) = run.epoch(1, 0)
    assert step.losses["identity"] == pytest.approx(
        F.cross_entropy(neck @ classifier.T, labels, label_smoothing=0.1).item(), rel=1e-4
    )
    assert step.losses["total"] == pytest.approx(step.losses["identity"] + step.losses["contrastive"])
    assert step.crops == 12


@pytest.mark.parametrize("vehicles", [8, 7])
def test_accumulated_gradients_of_the_identity_term_are_those_of_the_batch_where_statistics_are_fixed(
    make_data: MakeData, make_recipe: MakeRecipe, fabric: Fabric, vehicles: int
) -> None:
    # With every BatchNorm's statistics fixed, only the contrastive term's companions depend on the cut.
    everything = ["appearance", "neck"]
    recipe = make_recipe(
        small=True, epochs=1, warmup_epochs=0, identities_per_batch=vehicles, fixed_statistics=everything
    )
    whole, cut = (engine(recipe, make_data(vehicles), fabric, accumulate=parts) for parts in (1, 3))
    (one,), (other,) = list(whole.epoch(1, 0)), list(cut.epoch(1, 0))
    gradients = []
    assert other.crops == one.crops == 2 * vehicles
    assert other.losses["identity"] == pytest.approx(one.losses["identity"], rel=1e-5)
    for run in (whole, cut):
        gradient = run._raw.objective.get_parameter("terms.identity.classifier.weight").grad
        assert gradient is not None
        gradients.append(gradient)
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-7)
    assert other.losses["contrastive"] < one.losses["contrastive"], "fewer vehicles to be told apart from"


def test_in_bfloat16_weights_and_losses_stay_in_float32(make_data: MakeData, make_recipe: MakeRecipe) -> None:
    recipe, data = make_recipe(small=True), make_data(8)
    full, mixed = (engine(recipe, data, open_fabric(name, None)) for name in ("32-true", "bf16-mixed"))
    (one, *_), (other, *_) = list(full.epoch(1, 0)), list(mixed.epoch(1, 0))
    assert {value.dtype for value in mixed.network.parameters()} == {torch.float32}
    assert other.losses["identity"] != one.losses["identity"], "nothing was rounded"
    assert other.losses["identity"] == pytest.approx(one.losses["identity"], rel=0.1)


def test_restored_tensors_go_on_as_if_nothing_had_been(
    make_data: MakeData, make_recipe: MakeRecipe, fabric: Fabric
) -> None:
    recipe, data = make_recipe(), make_data(12)
    run = engine(recipe, data, fabric)
    steps = run.epoch(1, 0)
    next(steps)
    saved = copy.deepcopy(run.tensors())
    expected = [step.losses for step in steps]
    other = engine(recipe, data, fabric)
    other.restore(saved)
    torch.rand(5)
    assert [step.losses for step in other.epoch(1, 1)] == expected


def test_tensors_of_another_network_are_refused(make_data: MakeData, make_recipe: MakeRecipe, fabric: Fabric) -> None:
    data = make_data(6)
    with pytest.raises(TrainingError, match="does not fit the recipe's network"):
        engine(make_recipe(), data, fabric).restore(engine(make_recipe(small=True), data, fabric).tensors())


def test_a_loss_that_is_not_finite_names_epoch_and_step(
    make_data: MakeData, make_recipe: MakeRecipe, fabric: Fabric
) -> None:
    run = engine(make_recipe(small=True, learning_rates=1e30, warmup_epochs=0), make_data(12), fabric)
    with pytest.raises(TrainingError, match=r"The loss is (nan|inf) in epoch 1, step [23] of 3: lower the learning"):
        list(run.epoch(1, 0))


def test_initial_weights_that_are_missing_name_the_command_that_gets_them(
    make_data: MakeData, make_recipe: MakeRecipe, fabric: Fabric, tmp_path: Path
) -> None:
    recipe = make_recipe(preset="paper", initial={"semantic": "tinyclip-vit-40m-32"})
    with pytest.raises(WeightsError, match="clip-senet weights fetch tinyclip-vit-40m-32"):
        engine(recipe, make_data(6), fabric, store=WeightsStore(tmp_path))


def test_a_camera_table_is_refused(
    make_data: MakeData, make_recipe: MakeRecipe, fabric: Fabric, small_preset: Preset
) -> None:
    preset = small_preset.model_copy(update={"camera_table": CameraTable(cameras=2)})
    with pytest.raises(TrainingError, match="leave camera_table out"):
        Engine(make_recipe(small=True), preset, make_data(6).learn, Options(), fabric)
