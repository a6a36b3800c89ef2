"""From square crops to the network's input."""

import numpy as np
import torch

from model.preprocessing import to_images


def test_images_are_channels_first_in_the_unit_interval() -> None:
    batch = np.zeros((2, 4, 4, 3), np.uint8)
    batch[1, 2, 3] = [255, 51, 0]
    batch.flags.writeable = False
    images = to_images(batch)
    assert images.shape == (2, 3, 4, 4)
    torch.testing.assert_close(images[1, :, 2, 3], torch.tensor([1.0, 0.2, 0.0]))
    assert not images[0].any()
