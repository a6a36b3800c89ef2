"""Training of CLIP-SENet: recipes as data, losses, sampler, and one loop."""

from model.training.errors import TrainingError
from model.training.interruption import Interrupted
from model.training.loop import Outcome, train
from model.training.options import Options
from model.training.recipe import Recipe, load_recipe, recipe_names

__all__ = ["Interrupted", "Options", "Outcome", "Recipe", "TrainingError", "load_recipe", "recipe_names", "train"]
