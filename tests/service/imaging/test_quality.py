"""Measured quality, against pictures whose values are known."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from service.imaging import measure_quality


def test_plain_areas() -> None:
    quality = measure_quality(Image.new("RGB", (40, 20), (51, 51, 51)))
    assert (quality.width, quality.height, quality.aspect) == (40, 20, 2.0)
    assert quality.brightness == pytest.approx(0.2)
    assert quality.sharpness == 0


def test_sharpness_of_a_checkerboard_is_known() -> None:
    # Inside, the Laplacian of a 0/1 checkerboard is +4 or -4; at the
    # mirrored edge one neighbour (corner: two) falls away.
    board = np.indices((64, 64)).sum(axis=0) % 2
    size = 64
    inner, edge, corner = (size - 2) ** 2, 4 * (size - 2), 4
    expected = (inner * 16 + edge * 9 + corner * 4) / size**2
    quality = measure_quality(Image.fromarray((255 * board).astype(np.uint8)).convert("RGB"))
    assert quality.sharpness == pytest.approx(expected, rel=1e-4)
    assert quality.brightness == pytest.approx(0.5)


def test_blur_lowers_sharpness() -> None:
    noise = Image.effect_noise((128, 128), 60).convert("RGB")
    scores = [measure_quality(noise.filter(ImageFilter.GaussianBlur(radius))).sharpness for radius in (0, 1, 2, 4)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 10 * scores[-1]


def test_sharpness_does_not_depend_on_resolution_above_256_px() -> None:
    coarse = Image.effect_noise((256, 256), 60).convert("RGB")
    fine = coarse.resize((1024, 1024), Image.Resampling.NEAREST)
    assert measure_quality(fine).sharpness == pytest.approx(measure_quality(coarse).sharpness, rel=0.01)
