import numpy as np
import pytest
import torch
import torch.nn.functional as F

from model.network import Classifier, CLIPSENet
from model.presets import Preset
from model.training.recipe import DiscriminantStart
from model.training.start import StartError, discriminant, start_discriminant


def _rows(identities: int = 60, crops: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """Features whose first coordinate is the camera's (large, meaningless), whose second is the vehicle's (small)."""
    generator = torch.Generator().manual_seed(5)
    classes = torch.arange(identities).repeat_interleave(crops)
    rows = torch.randn(len(classes), 6, generator=generator, dtype=torch.float64)
    rows[:, 0] *= 50
    rows[:, 1] = rows[:, 1] * 0.1 + torch.randn(identities, generator=generator, dtype=torch.float64)[classes]
    return rows + 7, classes


def test_with_little_shrinkage_one_class_spreads_equally_in_every_direction() -> None:
    rows, classes = _rows()
    mean, projection = discriminant(rows, classes, dimension=6, shrinkage=1e-9)
    embedded = ((rows - mean) @ projection.T).numpy()
    inner = np.concatenate([embedded[classes == c] - embedded[classes == c].mean(axis=0) for c in range(60)])
    np.testing.assert_allclose(inner.T @ inner / len(inner), np.eye(6), atol=1e-4)
    total = embedded.var(axis=0)
    assert (np.diff(total) < 0).all(), "directions in which classes differ most come first"


def test_the_first_direction_is_the_one_that_tells_classes_apart() -> None:
    rows, classes = _rows()
    mean, projection = discriminant(rows, classes, dimension=1, shrinkage=1e-6)
    embedded = ((rows - mean) @ projection.T)[:, 0]
    assert abs(torch.corrcoef(torch.stack((embedded, rows[:, 1])))[0, 1]) > 0.99


def test_more_shrinkage_trusts_the_scatter_less() -> None:
    rows, classes = _rows()
    _, little = discriminant(rows, classes, dimension=1, shrinkage=1e-6)
    _, much = discriminant(rows, classes, dimension=1, shrinkage=1e6)
    # With nothing but the identity left of the scatter, plain variance decides, and the camera's has the most.
    assert F.normalize(little, dim=1)[0, 1].abs() > 0.99
    assert F.normalize(much, dim=1)[0, 0].abs() > 0.99


def test_more_directions_than_features_are_refused() -> None:
    rows, classes = _rows()
    with pytest.raises(StartError, match="6 features"):
        discriminant(rows, classes, dimension=7, shrinkage=1.0)


def test_one_crop_for_each_vehicle_is_refused() -> None:
    with pytest.raises(StartError, match="two crops that differ"):
        discriminant(torch.randn(5, 3), torch.arange(5), dimension=2, shrinkage=1.0)


def test_the_network_starts_as_the_discriminant_of_its_own_appearance_features(tiny_preset: Preset) -> None:
    network, classifier = CLIPSENet(tiny_preset), Classifier(32, 10)
    # Random running statistics, so that the features of an untrained network are more than noise about zero.
    images = torch.randint(0, 256, (20, 3, 32, 32), dtype=torch.uint8)
    labels = torch.arange(10).repeat_interleave(2)
    start_discriminant(
        network, classifier, images.split(6), labels, DiscriminantStart(shrinkage=1.0, semantic_gain=1e-6)
    )
    network.eval()
    with torch.no_grad():
        both = torch.cat((images, images.flip(3))).float() / 255
        features = network.appearance(network.normalize_appearance(both)).double()
        raw, neck, _ = network(both)
    classes = torch.cat((labels, labels))
    mean, projection = discriminant(features, classes, 32, 1.0)
    expected = (features - mean) @ projection.T
    cosine = F.cosine_similarity(raw.double(), expected, dim=1)
    assert cosine.min() > 0.999
    assert raw.square().mean() == pytest.approx(1.0, rel=0.01)
    # BNNeck starts as the identity, and the classifier knows each vehicle's direction.
    torch.testing.assert_close(neck, raw, atol=0.02, rtol=0.02)
    centre = raw[classes == 3].mean(dim=0)
    assert F.cosine_similarity(classifier.weight[3], centre, dim=0) > 0.999
