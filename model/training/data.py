"""Training crops in memory, drawn in P x K batches and varied anew each time."""

from collections.abc import Iterator

import numpy as np
import torch
from pytorch_metric_learning.samplers import MPerClassSampler
from torch import Tensor
from torchvision.transforms import v2

from model.datasets import Crops
from model.preprocessing import resize_crop
from model.training.recipe import Augmentation, Recipe

_GREY = 0.5


class TrainingData:
    """The crops of a list, decoded and resized once.

    Args:
        crops: The labelled crops.
        size: Side of the network's square input in pixels.
        recipe: Batch shape and augmentation.

    Attributes:
        images: uint8, shape (N, 3, size, size).
        labels: Class of each crop, int64, shape (N,).
        identities: Number of classes.
        batches: Batches in one epoch.
    """

    def __init__(self, crops: Crops, size: int, recipe: Recipe) -> None:
        self.images = torch.stack(
            [torch.from_numpy(resize_crop(crop.open(), size)).permute(2, 0, 1).contiguous() for crop in crops]
        )
        self.labels = torch.from_numpy(crops.labels())
        self.identities = len(crops.identities)
        self._batch = recipe.identities_per_batch * recipe.crops_per_identity
        # Without a batch size the sampler goes through all identities, in a new order each time, K crops of each in a
        # row: cut into batches this is P x K without leaving an identity out.
        once = self.identities * recipe.crops_per_identity
        self._sampler = MPerClassSampler(self.labels, recipe.crops_per_identity, length_before_new_iter=once)
        self._vary = build_augmentation(recipe.augmentation, size)
        # A last batch of one identity would have no negatives.
        self.batches = -(-(once - recipe.crops_per_identity) // self._batch) or 1

    def epoch(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of one epoch: images in [0, 1] of shape (B, 3, size, size), and their classes of shape (B,)."""
        order = np.fromiter(self._sampler, dtype=np.int64)
        for number in range(self.batches):
            chosen = torch.from_numpy(order[number * self._batch : (number + 1) * self._batch])
            images = torch.stack([self._vary(self.images[position]) for position in chosen])
            yield images.contiguous(memory_format=torch.channels_last), self.labels[chosen]


def build_augmentation(options: Augmentation, size: int) -> v2.Transform:
    """The augmentation of one crop: from uint8 (3, size, size) to float in [0, 1] of the same shape."""
    steps: list[v2.Transform] = [v2.RandomHorizontalFlip(options.flip)]
    if options.pad:
        steps += [v2.Pad(options.pad, padding_mode="edge"), v2.RandomCrop(size)]
    if options.light:
        steps.append(v2.ColorJitter(brightness=options.light, contrast=options.light))
    if options.blur:
        steps.append(v2.RandomApply([v2.GaussianBlur(kernel_size=9, sigma=(0.3, 2.5))], p=options.blur))
    steps.append(v2.ToDtype(torch.float32, scale=True))
    if options.erase:
        steps.append(v2.RandomErasing(p=options.erase, value=_GREY))
    return v2.Compose(steps)
