"""How a crop is varied each time it is seen: framing, and what one camera does to a picture and another does not."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.transforms import v2

from model.training.recipe import Augmentation

_GREY = 0.5
_SMALLEST = 24
"""Pixels of the longer side below which even people see no vehicle."""
_LIGHT_SHARE = 0.8
"""Share of the crops whose light is varied; the others keep what their camera gave them."""


def build_augmentation(options: Augmentation, size: int) -> v2.Transform:
    """The augmentation of one crop: from uint8 (3, size, size) to float in [0, 1] of the same shape.

    In the order of a camera: the framing, the light, the few pixels of a far vehicle, the lens, the sensor; then
    whatever stands in front.
    """
    steps: list[nn.Module] = [v2.RandomHorizontalFlip(options.flip)]
    if options.pad:
        steps += [v2.Pad(options.pad, padding_mode="edge"), v2.RandomCrop(size)]
    steps.append(v2.ToDtype(torch.float32, scale=True))
    if options.light:
        steps.append(v2.RandomApply([CameraLight(options.light)], p=_LIGHT_SHARE))
    if options.resolution:
        steps.append(v2.RandomApply([FewerPixels()], p=options.resolution))
    if options.blur:
        steps.append(v2.RandomApply([v2.GaussianBlur(kernel_size=13, sigma=(0.3, 4.0))], p=options.blur))
    if options.noise:
        steps.append(v2.RandomApply([SensorNoise()], p=options.noise))
    if options.erase:
        steps.append(v2.RandomErasing(p=options.erase, value=_GREY))
    return v2.Compose(steps)


class CameraLight(nn.Module):
    """Exposure, gamma, white balance, saturation and contrast of another camera, each drawn anew for every crop.

    Factors are drawn evenly in their logarithm; none turns a hue, as the paint's colour tells vehicles apart.

    Args:
        strength: Largest logarithm of the gamma; the other factors' are shares of it. Darker goes further than
            brighter, as what is burnt out has no colour left to compare.
    """

    def __init__(self, strength: float) -> None:
        super().__init__()
        self._strength = strength

    def forward(self, image: Tensor) -> Tensor:
        """The image, float in [0, 1], shape (3, H, W), in another light."""
        most = self._strength
        balance = torch.exp(torch.empty(3, 1, 1).uniform_(-0.35 * most, 0.35 * most))
        lit = (image.pow(_factor(-most, most)) * _factor(-most, 0.6 * most) * balance).clamp(0, 1)
        grey = lit.mean(dim=0, keepdim=True)
        coloured = grey + (lit - grey) * _factor(-0.7 * most, 0.7 * most)
        middle = grey.mean()
        return (middle + (coloured - middle) * _factor(-0.7 * most, 0.7 * most)).clamp(0, 1)


class FewerPixels(nn.Module):
    """The crop as if the vehicle had been far away: shrunk to 24 pixels or more, and enlarged again."""

    def forward(self, image: Tensor) -> Tensor:
        """The image, shape (3, S, S), with less detail."""
        size = image.shape[-1]
        side = round(min(_SMALLEST, size) * _factor(0, math.log(max(size / _SMALLEST, 1))))
        small = F.interpolate(image[None], size=(side, side), mode="bilinear", antialias=True)
        return F.interpolate(small, size=(size, size), mode="bicubic").clamp(0, 1)[0]


class SensorNoise(nn.Module):
    """Gaussian noise of a deviation up to `most`, drawn anew for every crop."""

    def __init__(self, most: float = 0.06) -> None:
        super().__init__()
        self._most = most

    def forward(self, image: Tensor) -> Tensor:
        """The image, float in [0, 1], shape (3, H, W), with noise."""
        deviation = torch.empty(()).uniform_(0, self._most)
        return (image + torch.randn_like(image) * deviation).clamp(0, 1)


def _factor(low: float, high: float) -> float:
    """A factor whose logarithm is drawn evenly from [low, high]."""
    return math.exp(torch.empty(()).uniform_(low, high).item())
