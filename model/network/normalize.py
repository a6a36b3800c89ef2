"""Input normalisation as part of the network, so that callers hand over one un-normalised tensor."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Normalize(nn.Module):
    """(images - mean) / std per channel.

    The two vectors belong to the architecture, not to what is learned: they are in no state dict.

    Args:
        statistics: Mean and standard deviation per RGB channel, for images in [0, 1].

    Attributes:
        statistics: The same.
    """

    class Statistics(NamedTuple):
        """Mean and standard deviation of the RGB channels."""

        mean: tuple[float, float, float]
        std: tuple[float, float, float]

    mean: Tensor
    std: Tensor

    def __init__(self, statistics: Statistics) -> None:
        super().__init__()
        self.statistics = statistics
        for name, values in statistics._asdict().items():
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Normalise images of shape (N, 3, H, W)."""
        return (images - self.mean) / self.std
