"""From square crops to the network's input: the one way for service, training and evaluation alike."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def to_images(batch: NDArray[np.uint8], device: torch.device | None = None) -> Tensor:
    """Images as the network takes them.

    Args:
        batch: RGB crops, shape (N, size, size, 3).
        device: Where the tensor shall be; None is the CPU.

    Returns:
        Float in [0, 1], shape (N, 3, size, size).
    """
    # Bytes cross to the device, floats are made there: a quarter of the traffic.
    return torch.tensor(batch, device=device).permute(0, 3, 1, 2).float().div(255)
