import numpy as np
import pytest
from PIL import Image

from model.evaluation import ColourHistogram, ImageNetCnn


def test_histogram_tells_colours_apart_and_not_places() -> None:
    histogram = ColourHistogram()
    left, right = Image.new("RGB", (40, 30), "red"), Image.new("RGB", (40, 30), "red")
    left.paste("blue", (0, 0, 10, 30))
    right.paste("blue", (30, 0, 40, 30))
    pictures = [left, right, Image.new("RGB", (90, 20), "green")]
    embeddings = histogram.embed(np.stack([histogram.prepare(picture) for picture in pictures]))
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-6)
    assert embeddings.shape == (3, 128)
    assert embeddings[0] @ embeddings[1] > 0.95
    assert embeddings[0] @ embeddings[2] == 0


def test_histogram_of_a_worked_example() -> None:
    histogram = ColourHistogram(bins=(2, 1, 1))
    batch = np.zeros((1, 2, 2, 3), np.uint8)
    batch[0, 0, 0, 0] = 200  # one of four pixels has a hue of the upper half
    np.testing.assert_allclose(histogram.embed(batch), [[np.sqrt(3 / 4), np.sqrt(1 / 4)]], rtol=1e-6)


def test_untouched_cnn_knows_a_mirrored_crop_from_another() -> None:
    cnn = ImageNetCnn(image_size=64)
    generator = np.random.default_rng(2)
    one, other = (Image.fromarray(generator.integers(0, 256, (8, 8, 3), np.uint8)).resize((90, 70)) for _ in range(2))
    pictures = [one, one.transpose(Image.Transpose.FLIP_LEFT_RIGHT), other]
    embeddings = cnn.embed(np.stack([cnn.prepare(picture) for picture in pictures]))
    assert embeddings.shape == (3, 1280)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    assert embeddings[0] @ embeddings[1] > embeddings[0] @ embeddings[2]


def test_untouched_cnn_pools_what_timm_pools() -> None:
    """The same weights through timm's own forward pass, with the normalisation written out."""
    import timm
    import torch

    from model.weights import load_efficientnet_lite0

    network = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0).eval()
    load_efficientnet_lite0(network)
    crop = np.random.default_rng(4).integers(0, 256, (1, 64, 64, 3), np.uint8)
    with torch.no_grad():
        pooled = network((torch.from_numpy(crop).permute(0, 3, 1, 2).float() - 127) / 128)[0].numpy()
    found = ImageNetCnn(image_size=64).embed(crop)[0]
    assert found @ pooled / np.linalg.norm(pooled) == pytest.approx(1, abs=1e-5)
