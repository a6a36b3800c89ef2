"""What a run starts from: the network with its initial weights, and the classifier."""

from pathlib import Path

import torch

from model.network import Classifier, CLIPSENet
from model.presets import Preset
from model.training.data import TrainingCrops
from model.training.errors import TrainingError
from model.training.recipe import Initial, Recipe
from model.training.start import start_discriminant
from model.weights import SHIPPED, WeightsStore, load_checkpoint, load_initial, shipped_weights
from model.weights.state import load_exactly


def build_network(preset: Preset, initial: Initial, store: WeightsStore) -> CLIPSENet:
    """The network of a preset with the initial weights of its parts; what has none starts random.

    Raises:
        WeightsError: Weights are not there, damaged, or made for another tower.
        TrainingError: The checkpoint is of another preset, or the preset has a camera table.
    """
    if preset.camera_table:
        raise TrainingError(
            f"Preset {preset.name} has a camera table, whose rows training cannot choose yet: leave camera_table out."
        )
    network = CLIPSENet(preset).to(memory_format=torch.channels_last)
    if initial.network:
        _load_network(network, initial.network)
    if initial.appearance:
        load_initial(network, "appearance", initial.appearance, store)
    if initial.semantic:
        load_initial(network, "semantic", initial.semantic, store)
    return network


def build_classifier(recipe: Recipe, network: CLIPSENet, crops: TrainingCrops) -> Classifier:
    """The identity classifier; with it, where the recipe says so, fusion and neck start as a discriminant.

    Raises:
        StartError: The start cannot be computed from the crops.
    """
    labels = torch.from_numpy(crops.labels)
    classifier = Classifier(network.preset.embedding_dim, int(labels.max()) + 1)
    if recipe.start:
        start_discriminant(network, classifier, crops.images(), labels, recipe.start)
    return classifier


def _load_network(network: CLIPSENet, source: str) -> None:
    path = shipped_weights(source) if source in SHIPPED else Path(source)
    other, preset = load_checkpoint(path)
    wanted = network.preset
    fields = [name for name in Preset.model_fields if name != "name" and getattr(preset, name) != getattr(wanted, name)]
    if fields:
        raise TrainingError(
            f"{source} holds weights of preset {preset.name}, which differs from {wanted.name} in {', '.join(fields)}: "
            "choose a checkpoint or preset that fits."
        )
    load_exactly(network, other.state_dict(), source=path)
