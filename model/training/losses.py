"""The paper's loss: cross-entropy plus supervised contrastive loss, one to one (paper, section "loss")."""

from typing import NamedTuple

import torch.nn.functional as F
from pytorch_metric_learning.losses import SupConLoss
from torch import Tensor, nn

from model.network import Classifier, Features


class Losses(NamedTuple):
    """The two terms of a batch's loss, each a scalar.

    Attributes:
        identity: Cross-entropy of the classifier.
        contrastive: Supervised contrastive loss.
    """

    identity: Tensor
    contrastive: Tensor

    @property
    def total(self) -> Tensor:
        """Their sum."""
        return self.identity + self.contrastive


class ReidLoss(nn.Module):
    """Cross-entropy with label smoothing on BNNeck(T), and SupCon on T with the mean over positives outside the log.

    Args:
        classifier: Identity classifier; its weights are trained with the network's.
        label_smoothing: Of the cross-entropy.
        temperature: Of the contrastive loss.
    """

    def __init__(self, classifier: Classifier, label_smoothing: float, temperature: float) -> None:
        super().__init__()
        self.classifier = classifier
        self._smoothing = label_smoothing
        self._contrastive = SupConLoss(temperature=temperature)

    def forward(self, features: Features, labels: Tensor) -> Losses:
        """Both terms for one batch.

        Args:
            features: Of N crops.
            labels: Class of each crop, int64, shape (N,); a class without a second crop in the batch has no positives
                and adds nothing to the contrastive term.
        """
        logits = self.classifier(features.neck)
        return Losses(
            identity=F.cross_entropy(logits, labels, label_smoothing=self._smoothing),
            contrastive=self._contrastive(features.raw, labels),
        )
