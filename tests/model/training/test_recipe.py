import json
from pathlib import Path

import pytest

from model.presets import load_preset
from model.training import load_recipe, recipe_names
from model.training.recipe import Augmentation, Cosine, Initial, MultiStep, RecipeError
from model.weights import find_release


def test_the_starter_recipe_follows_the_paper_where_it_speaks() -> None:
    recipe = load_recipe("starter")
    assert (recipe.label_smoothing, recipe.temperature, recipe.seed) == (0.1, 0.07, 3407)
    assert recipe.augmentation.flip == recipe.augmentation.erase == 0.5
    assert recipe.augmentation.pad == 10
    assert load_preset(recipe.preset).name == "starter"


def test_a_recipe_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(load_recipe("starter").model_copy(update={"name": "mine", "epochs": 3}).model_dump_json())
    assert load_recipe(path).epochs == 3


def test_an_unknown_name_says_which_there_are() -> None:
    with pytest.raises(RecipeError, match=r"there are .*starter, vehicleid, veri776, veriwild, or give the path"):
        load_recipe("veri999")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(tmp_path / "none.json")


@pytest.mark.parametrize("text", ["{", '{"name": "x", "typo": 1}'])
def test_a_file_that_is_no_recipe(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(RecipeError, match="not a recipe"):
        load_recipe(path)


def test_every_recipe_of_the_package_can_be_read() -> None:
    assert {"starter", "vehicleid", "veri776", "veriwild"} <= set(recipe_names())
    for name in recipe_names():
        assert load_recipe(name).name == name


PAPER = {
    "veri776": {
        "learning_rates": 5e-4,
        "schedule": Cosine(),
        "warmup_epochs": 0,
        "epochs": 24,
    },
    "vehicleid": {
        "learning_rates": 3.5e-4,
        "schedule": MultiStep(milestones=(40, 70), gamma=0.1),
        "warmup_epochs": 10,
        "epochs": 120,
    },
}
PAPER["veriwild"] = PAPER["vehicleid"]
EVERYWHERE = {
    "preset": "paper",
    "seed": 3407,
    "epoch_length": "images",
    "identities_per_batch": 16,
    "crops_per_identity": 8,
    "initial": Initial(appearance="resnext101_ibn_a", semantic="tinyclip-vit-40m-32"),
    "start": None,
    "optimiser": "adam",
    "semantic_multiplier": 1.0,
    "weight_decay": 5e-4,
    "frozen": (),
    "fixed_statistics": (),
    "label_smoothing": 0.1,
    "temperature": 0.07,
    "augmentation": Augmentation(flip=0.5, pad=10, blur=0.0, light=0.0, erase=0.5),
    "captions": False,
    "evaluate_every": 1,
}


@pytest.mark.parametrize("name", PAPER)
def test_the_papers_recipes_value_by_value(name: str) -> None:
    assert dict(load_recipe(name)) == {"name": name, **EVERYWHERE, **PAPER[name]}
    preset = load_preset("paper")
    assert (preset.image_size, preset.embedding_dim, preset.afem.variant, preset.afem.groups) == (320, 2048, "A", 32)
    assert (preset.appearance.kind, preset.semantic.tower) == ("resnext101_ibn_a", "ViT-40M/32")
    assert load_recipe(name).crops_per_batch == 128


@pytest.mark.parametrize("name", ["veri776", "vehicleid", "veriwild"])
def test_the_papers_initial_weights_are_releases_for_the_presets_towers(name: str) -> None:
    recipe, preset = load_recipe(name), load_preset("paper")
    assert find_release(recipe.initial.appearance).kind == preset.appearance.kind
    assert find_release(recipe.initial.semantic).kind == preset.semantic.tower


def test_one_rate_for_all_parts_and_a_multiplier_for_the_semantic_tower() -> None:
    recipe = load_recipe("veri776").model_copy(update={"semantic_multiplier": 0.1})
    assert recipe.learning_rate("fusion") == 5e-4
    assert recipe.learning_rate("semantic") == pytest.approx(5e-5)
    assert load_recipe("starter").learning_rate("neck") == 2e-5
    assert load_recipe("starter").learning_rate("camera_table") is None


def test_other_initial_weights() -> None:
    recipe = load_recipe("veri776")
    assert recipe.starting_from() == recipe
    assert recipe.starting_from(semantic="a.pt").initial == Initial(appearance="resnext101_ibn_a", semantic="a.pt")
    assert recipe.starting_from(random=True).initial == Initial()
    assert recipe.starting_from(random=True, appearance="a.pth").initial == Initial(appearance="a.pth")
    assert recipe.starting_from(network="n.safetensors").initial == Initial(network="n.safetensors")
    with pytest.raises(RecipeError, match="A checkpoint has all parts"):
        recipe.starting_from(network="n.safetensors", semantic="a.pt")


@pytest.mark.parametrize(
    "change",
    [
        {"schedule": {"kind": "multistep", "milestones": [70, 40]}},
        {"schedule": {"kind": "multistep", "milestones": []}},
        {"name": "../elsewhere"},
        {"seed": -1},
        {"learning_rates": 0},
        {"learning_rates": float("inf")},
        {"weight_decay": float("nan")},
        {"temperature": float("inf")},
        {"learning_rates": {"nose": 1e-3}},
        {"initial": {"network": "a", "semantic": "b"}},
    ],
)
def test_values_that_make_no_sense_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(json.loads(load_recipe("veri776").model_dump_json()) | change))
    with pytest.raises(RecipeError, match="not a recipe"):
        load_recipe(path)
