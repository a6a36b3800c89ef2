from collections import Counter
from collections.abc import Callable

import pytest
import torch

from model.datasets import Crops
from model.training import Recipe
from model.training.data import TrainingData, build_augmentation
from model.training.recipe import Augmentation

MakeCrops = Callable[..., Crops]
MakeRecipe = Callable[..., Recipe]


def test_an_epoch_takes_k_crops_of_every_vehicle_once(make_crops: MakeCrops, make_recipe: MakeRecipe) -> None:
    data = TrainingData(make_crops(10), 32, make_recipe(identities_per_batch=4))
    batches = list(data.epoch())
    assert len(batches) == data.batches == 3
    assert [len(labels) for _, labels in batches] == [8, 8, 4]
    seen = Counter(label for _, labels in batches for label in labels.tolist())
    assert seen == dict.fromkeys(range(10), 2)
    for images, labels in batches:
        assert images.shape == (len(labels), 3, 32, 32)
        assert 0 <= images.min() < images.max() <= 1
        assert set(Counter(labels.tolist()).values()) == {2}, "every crop has a positive in its batch"


def test_a_last_batch_of_one_vehicle_is_left_out(make_crops: MakeCrops, make_recipe: MakeRecipe) -> None:
    data = TrainingData(make_crops(9), 32, make_recipe(identities_per_batch=4))
    assert [len(labels) for _, labels in data.epoch()] == [8, 8]


def test_both_crops_of_a_vehicle_are_drawn_not_one_twice(make_crops: MakeCrops, make_recipe: MakeRecipe) -> None:
    recipe = make_recipe(augmentation={"flip": 0, "pad": 0, "erase": 0})
    data = TrainingData(make_crops(4), 32, recipe)
    images, labels = next(data.epoch())
    for label in range(4):
        one, other = images[labels == label]
        assert not torch.equal(one, other)


def test_epochs_differ_in_order(make_crops: MakeCrops, make_recipe: MakeRecipe) -> None:
    data = TrainingData(make_crops(10), 32, make_recipe())
    orders = {tuple(torch.cat([labels for _, labels in data.epoch()]).tolist()) for _ in range(3)}
    assert len(orders) == 3


def test_without_augmentation_the_crop_stays_as_it_is() -> None:
    crop = torch.randint(0, 256, (3, 16, 16), dtype=torch.uint8)
    torch.testing.assert_close(build_augmentation(Augmentation(flip=0, pad=0, erase=0), 16)(crop), crop.float() / 255)


@pytest.mark.parametrize("option", [{"flip": 1.0}, {"pad": 4}, {"blur": 1.0}, {"light": 0.5}, {"erase": 1.0}])
def test_each_option_varies_the_crop_and_keeps_its_shape(option: dict[str, float]) -> None:
    crop = torch.randint(60, 200, (3, 16, 16), dtype=torch.uint8)
    vary = build_augmentation(Augmentation(**{"flip": 0, "pad": 0, "erase": 0, **option}), 16)
    varied = [vary(crop) for _ in range(8)]
    assert all(image.shape == (3, 16, 16) and image.dtype == torch.float32 for image in varied)
    assert all(image.min() >= 0 and image.max() <= 1 for image in varied)
    assert any(not torch.equal(image, crop.float() / 255) for image in varied)


def test_flip_mirrors_left_and_right() -> None:
    crop = torch.randint(0, 256, (3, 16, 16), dtype=torch.uint8)
    mirrored = build_augmentation(Augmentation(flip=1, pad=0, erase=0), 16)(crop)
    torch.testing.assert_close(mirrored, crop.flip(2).float() / 255)
