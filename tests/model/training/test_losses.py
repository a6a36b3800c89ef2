import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.network import Classifier, Features
from model.training.losses import Objective, paper_objective


def objective(dimension: int, identities: int) -> Objective:
    return paper_objective(Classifier(dimension, identities), label_smoothing=0.1, temperature=0.07)


def classifier_of(loss: Objective) -> Classifier:
    classifier = loss.parts()["classifier"]
    assert isinstance(classifier, Classifier)
    return classifier


def test_contrastive_loss_as_its_definition_has_it() -> None:
    raw = torch.randn(6, 5)
    labels = torch.tensor([0, 0, 1, 1, 1, 2])
    losses = objective(5, 3)(Features(raw, raw), labels, torch.arange(6))
    unit = F.normalize(raw, dim=1)
    terms = []
    for anchor in range(6):
        others = [j for j in range(6) if j != anchor]
        positives = [j for j in others if labels[j] == labels[anchor]]
        if not positives:
            continue  # the lone vehicle adds nothing
        total = sum(math.exp(float(unit[anchor] @ unit[j]) / 0.07) for j in others)
        logs = [float(unit[anchor] @ unit[p]) / 0.07 - math.log(total) for p in positives]
        terms.append(-sum(logs) / len(logs))  # the mean over positives stands outside the logarithm
    assert losses["contrastive"].item() == pytest.approx(sum(terms) / len(terms), rel=1e-4)


def test_identity_loss_reads_the_neck_with_smoothed_labels() -> None:
    loss = objective(4, 3)
    raw, neck = torch.randn(2, 2, 4).unbind()
    labels = torch.tensor([2, 0])
    found = loss(Features(raw, neck), labels, torch.arange(2))["identity"]
    logs = (neck @ classifier_of(loss).weight.T).log_softmax(dim=1)
    smooth = torch.full((2, 3), 0.1 / 3)
    smooth[0, 2] += 0.9
    smooth[1, 0] += 0.9
    assert found.item() == pytest.approx(-(smooth * logs).sum(dim=1).mean().item(), rel=1e-5)


def test_the_total_is_one_to_one_and_reaches_features_and_classifier() -> None:
    loss = objective(4, 2)
    raw, neck = torch.randn(4, 4, requires_grad=True), torch.randn(4, 4, requires_grad=True)
    losses = loss(Features(raw, neck), torch.tensor([0, 0, 1, 1]), torch.arange(4))
    assert losses["total"].item() == pytest.approx(losses["identity"].item() + losses["contrastive"].item())
    losses["total"].backward()
    for tensor in (raw, neck, classifier_of(loss).weight):
        assert tensor.grad is not None
        assert tensor.grad.abs().sum() > 0


def test_in_mixed_precision_the_loss_is_still_computed_in_float32() -> None:
    loss = objective(64, 4)
    features = Features(*torch.randn(2, 8, 64).unbind())
    labels, crops = torch.arange(4).repeat_interleave(2), torch.arange(8)
    expected = loss(features, labels, crops)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss(features, labels, crops)
    for name, value in expected.items():
        assert found[name].dtype == torch.float32
        assert found[name].item() == value.item()


class Lookup(nn.Module):
    """A term that knows something of every crop of the list, as captions would be."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(10, 4)
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, features: Features, labels: Tensor, crops: Tensor) -> Tensor:
        return F.mse_loss(features.raw, self.scale * self.table(crops))


def test_a_further_term_has_a_name_and_parameters_to_train() -> None:
    plain = objective(4, 2)
    loss = Objective({**plain.terms, "lookup": Lookup()})
    features = Features(*torch.randn(2, 4, 4).unbind())
    losses = loss(features, torch.tensor([0, 0, 1, 1]), torch.tensor([9, 3, 5, 7]))
    parts = losses["identity"] + losses["contrastive"] + losses["lookup"]
    assert losses["total"].item() == pytest.approx(parts.item())
    assert loss.names == ("identity", "contrastive", "lookup")
    assert loss.parts().keys() == {"classifier", "table", "scale"}


def test_two_terms_do_not_share_a_parts_name() -> None:
    with pytest.raises(ValueError, match="two terms of the loss have a part called table"):
        Objective({"one": Lookup(), "other": Lookup()}).parts()
