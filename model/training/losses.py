"""The loss as a sum of named terms; the paper's is cross-entropy plus supervised contrastive loss, one to one.

Paper: arXiv 2502.16815, section "loss".
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol, cast

import torch
import torch.nn.functional as F
from pytorch_metric_learning.losses import SupConLoss
from torch import Tensor, nn

from model.network import Classifier, Features


class Batch(NamedTuple):
    """Crops as the network and the loss take them.

    Attributes:
        images: RGB in [0, 1], shape (N, 3, S, S).
        labels: Class of each crop, int64, shape (N,).
        crops: Position of each crop in the list learned from, int64, shape (N,).
    """

    images: Tensor
    labels: Tensor
    crops: Tensor


class Term(Protocol):
    """One term of the loss: a module, whose parameters are trained with the network's."""

    def __call__(self, features: Features, labels: Tensor, crops: Tensor) -> Tensor:
        """A scalar for N crops: their features, classes of shape (N,) and positions in the list of shape (N,)."""


class IdentityTerm(nn.Module):
    """Cross-entropy with label smoothing on the classifier's logits of BNNeck(T).

    Args:
        classifier: Its weights are trained with the network's.
        label_smoothing: Share of the target spread over all classes.
    """

    def __init__(self, classifier: Classifier, label_smoothing: float) -> None:
        super().__init__()
        self.classifier = classifier
        self._smoothing = label_smoothing

    def forward(self, features: Features, labels: Tensor, crops: Tensor) -> Tensor:  # noqa: ARG002 - a term's arguments
        """Mean over the crops."""
        return F.cross_entropy(self.classifier(features.neck), labels, label_smoothing=self._smoothing)


class ContrastiveTerm(nn.Module):
    """Supervised contrastive loss on T, the mean over positives outside the logarithm.

    Each crop is compared with every other crop of what it is given at once: the whole P x K batch, or one micro-batch
    of it where gradients are accumulated. A class without a second crop there has no positives and adds nothing.

    Args:
        temperature: Divides the cosines.
    """

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self._loss = SupConLoss(temperature=temperature)

    def forward(self, features: Features, labels: Tensor, crops: Tensor) -> Tensor:  # noqa: ARG002 - a term's arguments
        """Mean over the crops that have a positive."""
        return cast("Tensor", self._loss(features.raw, labels))


class Objective(nn.Module):
    """A sum of terms, in float32 whatever the network computes in.

    Args:
        terms: The terms by name; the names head the columns of the log.
    """

    def __init__(self, terms: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.terms = nn.ModuleDict(terms)

    @property
    def names(self) -> tuple[str, ...]:
        """The terms' names, in order."""
        return tuple(self.terms)

    def parts(self) -> dict[str, nn.Module | nn.Parameter]:
        """What of the terms is trained, by the names that a recipe's learning rates use; no two terms share a name."""
        parts: dict[str, nn.Module | nn.Parameter] = {}
        for term in self.terms.values():
            named: list[tuple[str, nn.Module | nn.Parameter]] = [
                *((name, child) for name, child in term.named_children() if next(child.parameters(), None) is not None),
                *term.named_parameters(recurse=False),
            ]
            for name, part in named:
                if name in parts:
                    raise ValueError(f"two terms of the loss have a part called {name}")
                parts[name] = part
        return parts

    def forward(self, features: Features, labels: Tensor, crops: Tensor) -> dict[str, Tensor]:
        """The value of each term, by name, and their sum as "total"; scalars.

        Args:
            features: Of N crops.
            labels: Class of each crop, int64, shape (N,).
            crops: Position of each crop in the list learned from, shape (N,).
        """
        with torch.autocast(labels.device.type, enabled=False):
            semantic = None if features.semantic is None else features.semantic.float()
            whole = Features(features.raw.float(), features.neck.float(), semantic)
            values = {name: cast("Term", term)(whole, labels, crops) for name, term in self.terms.items()}
        return {**values, "total": torch.stack(list(values.values())).sum()}


def paper_objective(
    classifier: Classifier, label_smoothing: float, temperature: float, more: Mapping[str, nn.Module] | None = None
) -> Objective:
    """The paper's loss: cross-entropy and supervised contrastive loss, one to one; `more` terms beside, as heavy."""
    paper = {"identity": IdentityTerm(classifier, label_smoothing), "contrastive": ContrastiveTerm(temperature)}
    return Objective({**paper, **(more or {})})
