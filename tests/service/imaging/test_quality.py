"""Measured quality, against pictures whose values are known."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from service.imaging import USUAL_LIMITS, Quality, QualityLimits, measure_quality, quality_problems


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


GOOD = Quality(width=200, height=100, aspect=2.0, brightness=0.5, sharpness=0.02)


@pytest.mark.parametrize(
    ("changes", "limits", "codes", "said"),
    [
        ({"width": 23}, {"min_width": 24}, ["too_small"], "The width in pixels is 23, below the limit of 24."),
        ({"width": 24}, {"min_width": 24}, [], ""),
        ({"height": 23}, {"min_height": 24}, ["too_small"], "height in pixels is 23"),
        ({"sharpness": 0.00019}, {"min_sharpness": 0.0002}, ["too_blurred"], "sharpness is 0.00019, below"),
        ({"brightness": 0.079}, {"min_brightness": 0.08}, ["too_dark"], "brightness is 0.079, below"),
        ({"brightness": 0.851}, {"max_brightness": 0.85}, ["too_bright"], "above the limit of 0.85."),
        ({"brightness": 0.85}, {"max_brightness": 0.85}, [], ""),
        ({"aspect": 0.2}, {"min_aspect": 0.25}, ["too_narrow"], "aspect (width / height) is 0.2, below"),
        ({"aspect": 5.0}, {"max_aspect": 4.0}, ["too_wide"], "aspect (width / height) is 5, above"),
        ({"width": 1, "brightness": 0.0}, {"min_width": 2, "min_brightness": 0.1}, ["too_small", "too_dark"], ""),
        ({"width": 1, "height": 1, "brightness": 0.0, "sharpness": 0.0}, {}, [], ""),
    ],
)
def test_a_crop_is_held_to_its_limits(
    changes: dict[str, Any], limits: dict[str, Any], codes: list[str], said: str
) -> None:
    found = quality_problems(replace(GOOD, **changes), QualityLimits(**limits))
    assert [problem.code for problem in found] == codes
    assert said in "".join(problem.detail for problem in found)
    for problem in found:
        assert (problem.measured, problem.limit) in {(changes[c], limits[f]) for c in changes for f in limits}


def test_real_crops_meet_the_usual_limits_until_they_are_made_worse(two_camera: Path) -> None:
    """Not one crop of a real set is blamed, and each is once it is blurred, shrunk or darkened beyond use."""
    names = (two_camera / "val.txt").read_text().split()[:60]
    pictures = [Image.open(two_camera / "images" / name).convert("RGB") for name in names]
    assert not [problem for picture in pictures for problem in quality_problems(measure_quality(picture))]
    blurred = [picture.filter(ImageFilter.GaussianBlur(0.04 * max(picture.size))) for picture in pictures]
    tiny = [picture.resize((20, 20)) for picture in pictures]
    dark = [picture.point(lambda value: value // 10) for picture in pictures]
    for worse, code in [(blurred, "too_blurred"), (tiny, "too_small"), (dark, "too_dark")]:
        for picture in worse:
            assert code in {problem.code for problem in quality_problems(measure_quality(picture))}


def test_the_usual_limits_judge_everything() -> None:
    assert None not in {getattr(USUAL_LIMITS, name) for name in QualityLimits.__dataclass_fields__}
