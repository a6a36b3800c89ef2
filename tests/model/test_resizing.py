"""From a picture to a square crop."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from model.resizing import resize_crop


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def test_a_crop_is_stretched_to_the_square() -> None:
    left_half_red = Image.new("RGB", (200, 50), (0, 0, 255))
    left_half_red.paste((255, 0, 0), (0, 0, 100, 50))
    square = resize_crop(left_half_red, 64)
    assert square.shape == (64, 64, 3)
    assert square.dtype == np.uint8
    assert square.flags.writeable
    assert (square[:, :28] == [255, 0, 0]).all()
    assert (square[:, 36:] == [0, 0, 255]).all()


def test_shrinking_does_not_alias() -> None:
    """A one-pixel chequerboard is grey from afar."""
    board = (np.indices((512, 512)).sum(axis=0) % 2 * 255).astype(np.uint8)
    square = resize_crop(Image.fromarray(np.repeat(board[:, :, None], 3, axis=2)), 64)
    assert np.abs(square.astype(int) - 127).max() <= 3


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "LA", "1"])
def test_other_modes_become_rgb(mode: str) -> None:
    assert resize_crop(Image.new(mode, (10, 20)), 64).shape == (64, 64, 3)


def test_many_threads_get_what_one_gets() -> None:
    crops = [noise(300 + 7 * seed, 200 + 5 * seed, seed) for seed in range(16)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda crop: resize_crop(crop, 64), crops))
    assert all((one == resize_crop(crop, 64)).all() for one, crop in zip(together, crops, strict=True))


def test_needs_no_torch() -> None:
    """A process that decodes pictures would carry half a gigabyte of it."""
    code = "import sys; import service.imaging.worker; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
