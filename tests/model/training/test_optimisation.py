from collections.abc import Callable

import pytest
import torch
from torch import nn

from model.network import CLIPSENet
from model.presets import Preset
from model.training import Recipe, TrainingError
from model.training.optimisation import build_optimiser, freeze, set_rates, share

MakeRecipe = Callable[..., Recipe]


def rates(recipe: Recipe, *steps: int, steps_per_epoch: int = 10) -> list[float]:
    return [share(recipe, step / steps_per_epoch, 1 / steps_per_epoch) for step in steps]


def test_rates_rise_linearly_and_then_fall_as_a_cosine(make_recipe: MakeRecipe) -> None:
    recipe = make_recipe(epochs=10, warmup_epochs=0.4)
    assert rates(recipe, 0, 1, 3) == pytest.approx([0.25, 0.5, 1.0], rel=3e-3)
    assert rates(recipe, 50) == pytest.approx([0.5])
    assert rates(make_recipe(epochs=10, warmup_epochs=0), 0, 99) == pytest.approx([1.0, 0.0], abs=1e-3)


def test_rates_fall_at_milestones_after_the_warm_up(make_recipe: MakeRecipe) -> None:
    schedule = {"kind": "multistep", "milestones": [4, 7], "gamma": 0.1}
    recipe = make_recipe(epochs=10, warmup_epochs=1, schedule=schedule)
    assert rates(recipe, 0, 4, 9, 10) == pytest.approx([0.1, 0.5, 1, 1])
    assert rates(recipe, 39, 40, 69, 70, 99) == pytest.approx([1, 0.1, 0.1, 0.01, 0.01])


@pytest.mark.parametrize("steps", [3, 7, 49, 295])
def test_a_milestone_falls_on_the_first_step_of_its_epoch_for_any_length(make_recipe: MakeRecipe, steps: int) -> None:
    recipe = make_recipe(epochs=50, warmup_epochs=0, schedule={"kind": "multistep", "milestones": [40]})
    assert rates(recipe, 40 * steps - 1, 40 * steps, steps_per_epoch=steps) == pytest.approx([1, 0.1])


@pytest.mark.parametrize(("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)])
def test_each_part_is_a_group_with_its_rate(make_recipe: MakeRecipe, name: str, kind: type) -> None:
    recipe = make_recipe(
        optimiser=name, learning_rates={"fusion": 0.1, "semantic": 0.2}, semantic_multiplier=0.5, weight_decay=0.3
    )
    optimiser = build_optimiser(recipe, {"fusion": nn.Linear(2, 2), "semantic": nn.Linear(2, 2)})
    assert type(optimiser) is kind
    assert [group["lr"] for group in optimiser.param_groups] == pytest.approx([0.1, 0.1])
    assert {group["weight_decay"] for group in optimiser.param_groups} == {0.3}
    assert set_rates(optimiser, recipe, step=1, steps=2) == pytest.approx(0.5 * (1 + 2**-0.5))
    assert [group["lr"] for group in optimiser.param_groups] == pytest.approx([0.1 * 0.5 * (1 + 2**-0.5)] * 2)


def test_weight_decay_is_part_of_adams_gradient_and_not_of_adamws(make_recipe: MakeRecipe) -> None:
    moved = {}
    for name in ("adam", "adamw"):
        layer = nn.Linear(1, 1, bias=False)
        nn.init.constant_(layer.weight, 2.0)
        recipe = make_recipe(optimiser=name, learning_rates=0.01, weight_decay=0.5)
        optimiser = build_optimiser(recipe, {"fusion": layer})
        layer.weight.grad = torch.zeros_like(layer.weight)
        optimiser.step()
        moved[name] = 2.0 - layer.weight.item()
    # Adam scales the decay away like any gradient: one full step. AdamW takes lr * decay * weight.
    assert moved == pytest.approx({"adam": 0.01, "adamw": 0.01 * 0.5 * 2.0}, rel=1e-3)


def test_a_part_without_a_rate_is_refused(make_recipe: MakeRecipe) -> None:
    with pytest.raises(TrainingError, match="no learning rate for semantic"):
        build_optimiser(make_recipe(learning_rates={"fusion": 1e-3}), {"semantic": nn.Linear(1, 1)})


def test_a_part_without_anything_to_train_needs_no_rate(make_recipe: MakeRecipe) -> None:
    frozen = nn.Linear(1, 1).requires_grad_(requires_grad=False)
    recipe = make_recipe(learning_rates={"fusion": 1e-3})
    assert len(build_optimiser(recipe, {"semantic": frozen, "fusion": nn.Linear(1, 1)}).param_groups) == 1


def test_freezing_names_modules_of_the_network(make_recipe: MakeRecipe, small_preset: Preset) -> None:
    network = CLIPSENet(small_preset)
    fixed = freeze(make_recipe(frozen=["appearance.conv_stem"], fixed_statistics=["appearance.bn1"]), network)
    assert fixed == [network.get_submodule("appearance.bn1")]
    still = [name for name, parameter in network.named_parameters() if not parameter.requires_grad]
    assert still == ["appearance.conv_stem.weight", "neck.bias"]
    for wrong in ({"frozen": ["nose"]}, {"fixed_statistics": ["nose"]}):
        with pytest.raises(TrainingError, match="names nose, which the network of its preset has not"):
            freeze(make_recipe(**wrong), network)
