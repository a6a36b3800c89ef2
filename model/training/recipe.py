"""Recipes: every number of a training run, as one small JSON file each."""

from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from model.errors import ModelError

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class RecipeError(ModelError):
    """No such recipe, or a recipe file that makes no sense."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Augmentation(_Part):
    """How a crop is varied each time it is seen; no colour is changed.

    Attributes:
        flip: Probability of mirroring left and right.
        pad: Pixels added on each side before a random crop of the old size.
        blur: Probability of a Gaussian blur with deviation 0.3 to 2.5 pixels: lenses, distance and motion.
        light: Largest relative change of brightness and of contrast: exposure differs between cameras.
        erase: Probability that a rectangle of 2 to 33 % of the area turns grey: something stands in front.
    """

    flip: Share = 0.5
    pad: Annotated[int, Field(ge=0)] = 10
    blur: Share = 0.0
    light: Share = 0.0
    erase: Share = 0.5


class DiscriminantStart(_Part):
    """Start the fusion from the training crops instead of from noise: see `model.training.start`.

    Attributes:
        shrinkage: Added to the within-vehicle scatter's diagonal, as a multiple of its mean eigenvalue.
        semantic_gain: Factor on the untrained semantic branch's share of T at the start.
    """

    shrinkage: Positive = 1.3
    semantic_gain: Positive = 0.1


class Recipe(_Part):
    """One training run.

    Attributes:
        name: The recipe's name.
        preset: Name or path of the network's preset.
        seed: Seed of every random choice.
        epochs: Passes over the identities; each pass takes `crops_per_identity` crops of every one.
        identities_per_batch: P of the P x K batches.
        crops_per_identity: K.
        warmup_epochs: Epochs in which the learning rates rise linearly to their full size.
        learning_rates: Full learning rate by part of the network, "classifier" included; cosine decay to zero.
        weight_decay: Decoupled weight decay (AdamW).
        frozen: Modules by name that keep their initial weights.
        fixed_statistics: Modules by name whose BatchNorms keep their initial running statistics and use them.
        imagenet: Package that the appearance branch starts from; None starts from random weights.
        start: How fusion and neck start; None leaves the network's own random start.
        label_smoothing: Of the cross-entropy.
        temperature: Of the supervised contrastive loss.
        augmentation: How crops are varied.
    """

    name: str
    preset: str
    seed: int = 3407
    epochs: Annotated[int, Field(ge=1)]
    identities_per_batch: Annotated[int, Field(ge=2)]
    crops_per_identity: Annotated[int, Field(ge=2)] = 2
    warmup_epochs: Annotated[float, Field(ge=0)] = 1.0
    learning_rates: dict[Literal["appearance", "semantic", "afem", "fusion", "neck", "classifier"], Positive]
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    frozen: tuple[str, ...] = ()
    fixed_statistics: tuple[str, ...] = ()
    imagenet: Literal["efficientnet-lite0"] | None = None
    start: DiscriminantStart | None = None
    label_smoothing: Share = 0.1
    temperature: Positive = 0.07
    augmentation: Augmentation = Augmentation()


def load_recipe(name_or_path: str | Path) -> Recipe:
    """Read a recipe.

    Args:
        name_or_path: Name of a recipe of the package ("starter"), or path of a JSON file (ends in ".json").

    Raises:
        RecipeError: There is no such recipe or file, or its content is not a recipe.
    """
    wanted = str(name_or_path)
    folder = resources.files("model.training") / "recipes"
    known = sorted(entry.name.removesuffix(".json") for entry in folder.iterdir() if entry.name.endswith(".json"))
    if not wanted.endswith(".json") and wanted not in known:
        raise RecipeError(
            f"No recipe is called {wanted!r}; there are {', '.join(known)}, or give the path of a .json file."
        )
    source = Path(wanted) if wanted.endswith(".json") else folder / f"{wanted}.json"
    try:
        return Recipe.model_validate_json(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"The recipe {wanted} cannot be read: {error}") from error
    except (ValidationError, UnicodeDecodeError) as error:
        raise RecipeError(f"{wanted} is not a recipe: {error}") from error
