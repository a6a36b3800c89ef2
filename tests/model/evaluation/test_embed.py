from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.datasets import Crops, DatasetError, LabelledCrop, RetrievalTest
from model.evaluation import ColourHistogram, EvaluationError, embed_crops, embed_test


class Spoiled(ColourHistogram):
    """Gives `value` in the embeddings of wide crops."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def embed(self, batch: np.ndarray) -> np.ndarray:
        rows = super().embed(batch)
        rows[rows[:, 0] > 0.99] = self.value  # black crops
        return rows


@pytest.fixture
def crops(tmp_path: Path, make_picture: Callable[..., Image.Image]) -> Crops:
    for number in range(7):
        picture = make_picture(number) if number != 4 else Image.new("RGB", (60, 40))
        picture.save(tmp_path / f"{number}.png")
    return Crops("seven", tuple(LabelledCrop(tmp_path / f"{number}.png", str(number), "c") for number in range(7)))


@pytest.mark.parametrize("batch", [1, 3, 7, 100])
def test_rows_stand_in_the_lists_order_whatever_the_batch(crops: Crops, batch: int) -> None:
    embedder, done = ColourHistogram(), []
    expected = np.concatenate([embedder.embed(embedder.prepare(crop.open())[None]) for crop in crops])
    np.testing.assert_array_equal(embed_crops(embedder, crops, batch, done.append), expected)
    assert sum(done) == 7
    assert max(done) <= batch


@pytest.mark.parametrize(("value", "said"), [(np.nan, "not finite"), (np.inf, "not finite"), (0.0, "length 0,")])
def test_an_embedding_that_is_no_unit_vector_is_refused_by_the_name_of_its_crop(
    crops: Crops, value: float, said: str
) -> None:
    with pytest.raises(EvaluationError, match=rf"4\.png has .*{said}"):
        embed_crops(Spoiled(value), crops, batch=3)


def test_a_crop_that_cannot_be_decoded_is_named(crops: Crops) -> None:
    crops.items[5].path.write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"5\.png cannot be decoded"):
        embed_crops(ColourHistogram(), crops, batch=2)


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(EvaluationError, match="none holds no crop"):
        embed_crops(ColourHistogram(), Crops("none", ()))


def test_one_list_is_embedded_once(crops: Crops) -> None:
    done: list[int] = []
    same = embed_test(ColourHistogram(), RetrievalTest("t", crops, crops, "same_camera"), advance=done.append)
    assert same.query is same.gallery
    assert sum(done) == 7
    part = Crops("part", crops.items[:2])
    two = embed_test(ColourHistogram(), RetrievalTest("t", part, crops, "same_camera"))
    assert (len(two.query), len(two.gallery)) == (2, 7)
