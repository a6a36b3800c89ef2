import math

import pytest
import torch
from torch import Tensor

from model.training.augmentation import CameraLight, FewerPixels, SensorNoise, build_augmentation
from model.training.recipe import Augmentation

NOTHING = {"flip": 0, "pad": 0, "erase": 0}


def crop(size: int = 48) -> Tensor:
    """Stripes of colour over a gradient: something of every frequency."""
    across = torch.linspace(0.2, 0.8, size).expand(3, size, size).clone()
    across[0, :, ::4] += 0.15
    across[2, ::3] -= 0.15
    return across


def detail(image: Tensor) -> float:
    """Mean difference of neighbours."""
    return float(image.diff(dim=-1).abs().mean() + image.diff(dim=-2).abs().mean())


def test_without_augmentation_the_crop_stays_as_it_is() -> None:
    pixels = torch.randint(0, 256, (3, 16, 16), dtype=torch.uint8)
    torch.testing.assert_close(build_augmentation(Augmentation(**NOTHING), 16)(pixels), pixels.float() / 255)


@pytest.mark.parametrize(
    "option",
    [{"flip": 1.0}, {"pad": 4}, {"light": 0.5}, {"resolution": 1.0}, {"blur": 1.0}, {"noise": 1.0}, {"erase": 1.0}],
)
def test_each_option_varies_the_crop_and_keeps_its_shape_and_range(option: dict[str, float]) -> None:
    pixels = torch.randint(60, 200, (3, 48, 48), dtype=torch.uint8)
    vary = build_augmentation(Augmentation(**{**NOTHING, **option}), 48)
    varied = [vary(pixels) for _ in range(8)]
    assert all(image.shape == (3, 48, 48) and image.dtype == torch.float32 for image in varied)
    assert all(image.min() >= 0 and image.max() <= 1 for image in varied)
    assert any(not torch.equal(image, pixels.float() / 255) for image in varied)


def test_flip_mirrors_left_and_right() -> None:
    pixels = torch.randint(0, 256, (3, 16, 16), dtype=torch.uint8)
    mirrored = build_augmentation(Augmentation(flip=1, pad=0, erase=0), 16)(pixels)
    torch.testing.assert_close(mirrored, pixels.flip(2).float() / 255)


def test_light_goes_both_ways_and_keeps_a_grey_crop_near_grey() -> None:
    grey = torch.full((3, 8, 8), 0.5)
    lit = [CameraLight(0.5)(grey) for _ in range(200)]
    means = torch.stack([image.mean() for image in lit])
    assert means.min() < 0.35
    assert means.max() > 0.65
    # White balance alone colours it: by at most the ratio of two channels' gains, after the strongest saturation.
    ratios = torch.stack([image.mean(dim=(1, 2)).max() / image.mean(dim=(1, 2)).min() for image in lit])
    assert 1.02 < ratios.max() < math.exp(2 * 0.35 * 0.5 * 2 * math.exp(0.35))


def test_light_of_no_strength_changes_nothing() -> None:
    torch.testing.assert_close(CameraLight(0.0)(crop()), crop())


def test_light_turns_no_hue() -> None:
    red = torch.tensor([0.7, 0.2, 0.2]).view(3, 1, 1).expand(3, 4, 4)
    for _ in range(50):
        channels = CameraLight(0.5)(red).mean(dim=(1, 2))
        assert channels[0] > channels[1]
        assert channels[0] > channels[2]


def test_fewer_pixels_take_detail_away_and_keep_the_mean() -> None:
    for _ in range(20):
        coarse = FewerPixels()(crop())
        assert detail(coarse) <= detail(crop()) + 1e-4
        assert float(coarse.mean()) == pytest.approx(float(crop().mean()), abs=0.01)
    assert min(detail(FewerPixels()(crop())) for _ in range(20)) < 0.7 * detail(crop())


def test_a_crop_that_is_small_already_is_left_alone_by_fewer_pixels() -> None:
    torch.testing.assert_close(FewerPixels()(crop(16)), crop(16), atol=1e-5, rtol=0)


def test_noise_stays_below_its_deviation() -> None:
    grey = torch.full((3, 64, 64), 0.5)
    deviations = torch.stack([(SensorNoise(0.06)(grey) - grey).std() for _ in range(50)])
    assert 0.03 < deviations.max() < 0.065
    assert deviations.min() < 0.03
