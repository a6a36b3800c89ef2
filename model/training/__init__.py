"""Training of CLIP-SENet: recipes as data, losses, sampler, and one loop."""

from model.training.loop import Outcome, TrainingError, train
from model.training.recipe import Recipe, load_recipe

__all__ = ["Outcome", "Recipe", "TrainingError", "load_recipe", "train"]
