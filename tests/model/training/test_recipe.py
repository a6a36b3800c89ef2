from pathlib import Path

import pytest

from model.presets import load_preset
from model.training import load_recipe
from model.training.recipe import RecipeError


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
    with pytest.raises(RecipeError, match="there are starter"):
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
