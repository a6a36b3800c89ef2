"""A start of the fusion that already tells vehicles apart, computed from the training crops.

ImageNet features differ most in what does not matter for identity: pose, distance, light. The classical answer is
Fisher's: scale space so that one vehicle's own crops spread equally in every direction (within-class covariance
normalisation, with shrinkage as there are few crops), then keep the D directions in which vehicles differ most. That
map is linear in T_a, so it fits into the T_a columns of the fusion's FC and its bias. Training goes on from there,
instead of first finding by gradient, from few crops, what a closed form gives.
"""

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from model.errors import ModelError
from model.network import Classifier, CLIPSENet
from model.training.recipe import DiscriminantStart

_CLASSIFIER_NORM = 0.5
"""Length of the classifier's rows; with T of about sqrt(D) the logits then start at 11 times the cosine (D = 512)."""


class StartError(ModelError):
    """Crops from which the fusion's start cannot be computed."""


@torch.no_grad()
def start_discriminant(
    network: CLIPSENet, classifier: Classifier, images: Iterable[Tensor], labels: Tensor, options: DiscriminantStart
) -> None:
    """Set fusion, AFEM's gain, BNNeck and classifier in place.

    Args:
        network: With its appearance branch already pretrained; the semantic branch may be random.
        classifier: Its rows become the direction of each vehicle's mean.
        images: Training crops, uint8, in parts of shape (n, 3, S, S), together N.
        labels: Class of each crop, shape (N,), every class of the classifier at least once.
        options: Shrinkage and the semantic branch's gain.

    Raises:
        StartError: T_a is shorter than the embedding, or has no spread (one crop for each vehicle).
    """
    # A vehicle mirrored is taken for the same vehicle, as in augmentation; it doubles the crops of the scatter.
    network.eval()
    both = [(_appearance(network, part), _appearance(network, part.flip(3))) for part in images]
    features = torch.cat([torch.cat(parts) for parts in zip(*both, strict=True)]).double()
    classes = torch.cat((labels, labels))
    mean, projection = discriminant(features, classes, network.preset.embedding_dim, options.shrinkage)
    embedded = (features - mean) @ projection.T
    scale = embedded.square().mean().rsqrt()
    _set_fusion(network, projection * scale, mean, options.semantic_gain)
    embedded *= scale
    deviation = embedded.std(dim=0)
    # With gamma equal to the deviation BNNeck starts as the identity, and keeps the directions' relative weights.
    network.neck.weight.copy_(deviation)
    cast("Tensor", network.neck.running_mean).zero_()
    cast("Tensor", network.neck.running_var).copy_(deviation.square())
    centres = _class_means(embedded, classes)
    classifier.weight.copy_(torch.nn.functional.normalize(centres, dim=1) * _CLASSIFIER_NORM)


def discriminant(features: Tensor, classes: Tensor, dimension: int, shrinkage: float) -> tuple[Tensor, Tensor]:
    """Regularised Fisher discriminant of features.

    Args:
        features: Shape (N, F).
        classes: Class of each row, 0..C-1, each present, shape (N,).
        dimension: D <= F, directions kept.
        shrinkage: Added to the within-class scatter's diagonal, as a multiple of its mean eigenvalue.

    Returns:
        The features' mean, shape (F,), and the projection, shape (D, F), to be applied to centred features.

    Raises:
        StartError: F < D, or no class has two rows that differ.
    """
    length = features.shape[1]
    if length < dimension:
        raise StartError(
            f"The fusion cannot start from {length} features when the embedding has {dimension}: leave out `start`."
        )
    mean = features.mean(dim=0)
    inner = features - _class_means(features, classes)[classes]
    within = inner.T @ inner / len(features)
    level = within.diagonal().mean()
    if not level > 0:
        raise StartError(
            "No vehicle has two crops that differ, so nothing says what varies within one: leave out `start`."
        )
    within += shrinkage * level * torch.eye(length, dtype=features.dtype)
    whiten = torch.linalg.inv(torch.linalg.cholesky(within))
    directions = torch.linalg.eigh(whiten @ torch.cov(features.T, correction=0) @ whiten.T).eigenvectors
    return mean, directions.flip(1).T[:dimension] @ whiten


def _set_fusion(network: CLIPSENet, projection: Tensor, mean: Tensor, semantic_gain: float) -> None:
    semantic = network.fusion.in_features - projection.shape[1]
    network.fusion.weight[:, :semantic] *= semantic_gain
    network.fusion.weight[:, semantic:] = projection.to(network.fusion.weight)
    network.fusion.bias.copy_(-projection @ mean)
    if network.afem is not None:
        cast("nn.BatchNorm1d", network.afem.transform[1]).weight.fill_(semantic_gain)


def _class_means(rows: Tensor, classes: Tensor) -> Tensor:
    count = int(classes.max()) + 1
    sums = torch.zeros(count, rows.shape[1], dtype=rows.dtype).index_add_(0, classes, rows)
    return sums / torch.bincount(classes, minlength=count).unsqueeze(1)


def _appearance(network: CLIPSENet, images: Tensor) -> Tensor:
    features: Tensor = network.appearance(network.normalize_appearance(images.float() / 255))
    return features
