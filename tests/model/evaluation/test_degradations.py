from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.datasets import Crops, LabelledCrop, RetrievalTest
from model.evaluation import ColourHistogram, embed_test, evaluate, evaluate_embedded
from model.evaluation.degradations import DEGRADATIONS, Degradation, degraded_figures
from model.evaluation.embed import Embedded

MakePicture = Callable[..., Image.Image]


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


@pytest.mark.parametrize(
    ("size", "expected"), [((100, 60), (50, 30)), ((60, 100), (30, 50)), ((50, 20), (50, 20)), ((500, 3), (50, 1))]
)
def test_shrink_brings_the_longer_side_down_and_keeps_the_aspect(
    make_picture: MakePicture, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert Degradation("shrink", 50).apply(make_picture(1, size)).size == expected


def test_shrink_takes_detail_and_keeps_the_mean(make_picture: MakePicture) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (96, 96, 3), np.uint8))
    small = Degradation("shrink", 12).apply(noise)
    assert pixels(small).std() < pixels(noise).std() / 3
    assert pixels(small).mean() == pytest.approx(pixels(noise).mean(), abs=2)


def test_blur_is_in_percent_of_the_longer_side() -> None:
    """An edge, blurred: at one standard deviation from it a Gaussian has 84 % of the step."""
    for width in (200, 400):
        edge = Image.new("RGB", (width, 40), "black")
        edge.paste("white", (width // 2, 0, width, 40))
        row = pixels(Degradation("blur", 2).apply(edge))[20, :, 0]
        assert row[width // 2 + round(0.02 * width)] == pytest.approx(255 * 0.84, abs=13)
        assert row[width // 2 - round(0.02 * width)] == pytest.approx(255 * 0.16, abs=13)


def test_darken_leaves_half_the_light_at_each_stop() -> None:
    def light(value: int) -> float:
        return ((value / 255 + 0.055) / 1.055) ** 2.4  # values here are beyond the linear part of sRGB

    for stops in (1, 2, 3):
        (darker, *_) = Degradation("darken", stops).apply(Image.new("RGB", (1, 1), (200, 200, 200))).getpixel((0, 0))
        assert light(darker) == pytest.approx(light(200) / 2**stops, rel=0.02)
    ends = Image.new("RGB", (1, 1), (0, 1, 255))
    assert Degradation("darken", 0).apply(ends).getpixel((0, 0)) == (0, 1, 255)


@pytest.fixture
def test_on_disk(tmp_path: Path, make_picture: MakePicture) -> RetrievalTest:
    """Six vehicles, one colourful crop of each from two cameras."""
    items = []
    for vehicle in range(6):
        for camera in (1, 2):
            path = tmp_path / f"{vehicle}_{camera}.png"
            make_picture(vehicle, (90 + camera, 80)).save(path)
            items.append(LabelledCrop(path, str(vehicle), str(camera)))
    crops = Crops("made up", tuple(items))
    return RetrievalTest("made up", crops, crops, "same_camera")


def test_each_degradation_is_measured_on_queries_alone_and_on_all_crops(test_on_disk: RetrievalTest) -> None:
    embedder, seen = ColourHistogram(), []
    plain = embed_test(embedder, test_on_disk)
    found = list(degraded_figures(embedder, test_on_disk, plain, advance=seen.append))
    assert tuple(one.degradation for one in found) == DEGRADATIONS
    assert sum(seen) == len(DEGRADATIONS) * 12
    for one in found:
        worse = one.degradation

        class Worse(ColourHistogram):
            def prepare(self, image: Image.Image, how: Degradation = worse) -> np.ndarray:
                return super().prepare(how.apply(image))

        assert one.everything.figures() == evaluate(Worse(), test_on_disk).figures()
        rows = embed_test(Worse(), test_on_disk).query
        mixed = evaluate_embedded(Embedded(rows, plain.gallery), test_on_disk)
        assert one.queries.figures() == mixed.figures()
    dark = found[-1]
    assert str(dark.degradation) == "darken 3 EV"
    # A histogram of colours meets dark queries and a bright gallery at a loss; dark crops all over much less so.
    assert dark.queries.figures()["all"]["mAP"] < dark.everything.figures()["all"]["mAP"]
