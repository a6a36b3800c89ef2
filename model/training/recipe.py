"""Recipes: every number of a training run, as one small JSON file each."""

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from model.errors import ModelError

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Part = Literal["appearance", "semantic", "afem", "fusion", "neck", "camera_table", "classifier", "text"]
"""What has a learning rate of its own: the network's parts by their names, the identity classifier, the text tower."""


class RecipeError(ModelError):
    """No such recipe, or a recipe file that makes no sense."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Augmentation(_Part):
    """How a crop is varied each time it is seen; see `model.training.augmentation`.

    The paper's recipes leave all but flip, pad and erase at zero.

    Attributes:
        flip: Probability of mirroring left and right.
        pad: Pixels added on each side before a random crop of the old size.
        light: How far exposure, gamma, white balance, saturation and contrast go, as the largest logarithm of the
            gamma: what differs between cameras.
        resolution: Probability of fewer pixels, down to 24: distance.
        blur: Probability of a Gaussian blur with deviation 0.3 to 4 pixels: lenses and motion.
        noise: Probability of sensor noise, deviation up to 0.06.
        erase: Probability that a rectangle of 2 to 33 % of the area turns grey: something stands in front.
    """

    flip: Share = 0.5
    pad: Annotated[int, Field(ge=0)] = 10
    light: Share = 0.0
    resolution: Share = 0.0
    blur: Share = 0.0
    noise: Share = 0.0
    erase: Share = 0.5


class Initial(_Part):
    """What the network starts from before the first step; a part that nothing is named for starts random.

    Attributes:
        network: All parts: "rendered" or "starter", which come with the package, or path of a checkpoint of this
            project; of the same preset but for its name.
        appearance: Name of published weights ("resnext101_ibn_a", "efficientnet-lite0") or path of their file.
        semantic: Name of published weights ("tinyclip-vit-40m-32") or path of their file.
    """

    network: str | None = None
    appearance: str | None = None
    semantic: str | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.network and (self.appearance or self.semantic):
            raise ValueError("a network's checkpoint has all parts: name it, or the parts' weights, not both")
        return self


class DiscriminantStart(_Part):
    """Start the fusion from the training crops instead of from noise: see `model.training.start`.

    Attributes:
        shrinkage: Added to the within-vehicle scatter's diagonal, as a multiple of its mean eigenvalue.
        semantic_gain: Factor on the semantic branch's share of T at the start.
    """

    shrinkage: Positive = 1.3
    semantic_gain: Positive = 0.1


class Cosine(_Part):
    """Learning rates fall from their full size to zero along half a cosine over all epochs."""

    kind: Literal["cosine"] = "cosine"


class MultiStep(_Part):
    """Learning rates fall by a factor at some epochs.

    Attributes:
        milestones: Epochs done when the rates fall, ascending.
        gamma: The factor.
    """

    kind: Literal["multistep"] = "multistep"
    milestones: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]
    gamma: Annotated[float, Field(gt=0, lt=1)] = 0.1

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError("milestones must ascend")
        return self


class Recipe(_Part):
    """One training run.

    Attributes:
        name: The recipe's name; the files that a run leaves are called so.
        preset: Name or path of the network's preset.
        seed: Seed of every random choice.
        epochs: Epochs to train.
        epoch_length: What an epoch is: "identities", K crops of every identity once, or "images", as many crops as the
            list has, in batches of P identities drawn anew for each.
        identities_per_batch: P of the P x K batches.
        crops_per_identity: K; of an identity that has fewer crops some come more than once.
        initial: Weights that the network starts from.
        start: How fusion and neck start; None leaves the network's own random start.
        optimiser: Adam, whose weight decay is part of the gradient, or AdamW, whose is not.
        learning_rates: Full learning rate: one for all, or by part of the network, "classifier" included.
        semantic_multiplier: Factor on the semantic tower's learning rate.
        schedule: How the learning rates change from step to step.
        warmup_epochs: Epochs in which the learning rates rise linearly to their full size.
        weight_decay: Of the optimiser.
        frozen: Modules by name that keep their initial weights: ["semantic"] freezes the tower.
        fixed_statistics: Modules by name whose BatchNorms keep their initial running statistics and use them.
        label_smoothing: Of the cross-entropy.
        temperature: Of the supervised contrastive loss.
        captions: Whether T_s is also held against the crops' captions, see `model.training.captions`.
        augmentation: How crops are varied.
        evaluate_every: Epochs between two evaluations; the start and the last epoch are always evaluated.
    """

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]*$")]
    preset: str
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 3407
    epochs: Annotated[int, Field(ge=1)]
    epoch_length: Literal["identities", "images"] = "identities"
    identities_per_batch: Annotated[int, Field(ge=2)]
    crops_per_identity: Annotated[int, Field(ge=2)] = 2
    initial: Initial = Initial()
    start: DiscriminantStart | None = None
    optimiser: Literal["adam", "adamw"] = "adamw"
    learning_rates: Positive | dict[Part, Positive]
    semantic_multiplier: Positive = 1.0
    schedule: Annotated[Cosine | MultiStep, Field(discriminator="kind")] = Cosine()
    warmup_epochs: Annotated[float, Field(ge=0)] = 1.0
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    frozen: tuple[str, ...] = ()
    fixed_statistics: tuple[str, ...] = ()
    label_smoothing: Share = 0.1
    temperature: Positive = 0.07
    captions: bool = False
    augmentation: Augmentation = Augmentation()
    evaluate_every: Annotated[int, Field(ge=1)] = 1

    @property
    def crops_per_batch(self) -> int:
        """P x K."""
        return self.identities_per_batch * self.crops_per_identity

    def learning_rate(self, part: str) -> float | None:
        """Full learning rate of a part; None where the recipe gives none."""
        rates: Any = self.learning_rates
        rate = rates.get(part) if isinstance(rates, dict) else rates
        return rate * self.semantic_multiplier if rate is not None and part == "semantic" else rate

    def starting_from(
        self,
        *,
        network: str | None = None,
        appearance: str | None = None,
        semantic: str | None = None,
        random: bool = False,
    ) -> Self:
        """The recipe with other initial weights.

        Args:
            network: A checkpoint for all parts, instead of the recipe's initial weights.
            appearance: For the appearance branch.
            semantic: For the semantic branch.
            random: Leave out the recipe's own; what nothing is given for starts random.

        Raises:
            RecipeError: A checkpoint for all parts and weights for one are given.
        """
        before = {} if random or network else self.initial.model_dump(exclude_none=True)
        given = {"network": network, "appearance": appearance, "semantic": semantic}
        try:
            initial = Initial.model_validate(before | {name: source for name, source in given.items() if source})
        except ValidationError as error:
            raise RecipeError("A checkpoint has all parts: give it, or the parts' weights, not both.") from error
        return self.model_copy(update={"initial": initial})


def load_recipe(name_or_path: str | Path) -> Recipe:
    """Read a recipe.

    Args:
        name_or_path: Name of a recipe of the package ("starter"), or path of a JSON file (ends in ".json").

    Raises:
        RecipeError: There is no such recipe or file, or its content is not a recipe.
    """
    wanted = str(name_or_path)
    known = recipe_names()
    if not wanted.endswith(".json") and wanted not in known:
        raise RecipeError(
            f"No recipe is called {wanted!r}; there are {', '.join(known)}, or give the path of a .json file."
        )
    source = Path(wanted) if wanted.endswith(".json") else _folder() / f"{wanted}.json"
    try:
        return Recipe.model_validate_json(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"The recipe {wanted} cannot be read: {error}") from error
    except (ValidationError, UnicodeDecodeError) as error:
        raise RecipeError(f"{wanted} is not a recipe: {error}") from error


def recipe_names() -> list[str]:
    """Names of the recipes that come with the package, sorted."""
    return sorted(entry.name.removesuffix(".json") for entry in _folder().iterdir() if entry.name.endswith(".json"))


def _folder() -> Traversable:
    return resources.files("model.training") / "recipes"
