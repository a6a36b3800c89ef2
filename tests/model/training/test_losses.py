import math

import pytest
import torch
import torch.nn.functional as F

from model.network import Classifier, Features
from model.training.losses import ReidLoss


def test_contrastive_loss_as_its_definition_has_it() -> None:
    raw = torch.randn(6, 5)
    labels = torch.tensor([0, 0, 1, 1, 1, 2])
    losses = ReidLoss(Classifier(5, 3), label_smoothing=0.1, temperature=0.07)(Features(raw, raw), labels)
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
    assert losses.contrastive.item() == pytest.approx(sum(terms) / len(terms), rel=1e-4)


def test_identity_loss_reads_the_neck_with_smoothed_labels() -> None:
    classifier = Classifier(4, 3)
    raw, neck = torch.randn(2, 2, 4).unbind()
    labels = torch.tensor([2, 0])
    losses = ReidLoss(classifier, label_smoothing=0.1, temperature=0.07)(Features(raw, neck), labels)
    logs = (neck @ classifier.weight.T).log_softmax(dim=1)
    smooth = torch.full((2, 3), 0.1 / 3)
    smooth[0, 2] += 0.9
    smooth[1, 0] += 0.9
    assert losses.identity.item() == pytest.approx(-(smooth * logs).sum(dim=1).mean().item(), rel=1e-5)


def test_the_total_is_one_to_one_and_reaches_features_and_classifier() -> None:
    loss = ReidLoss(Classifier(4, 2), label_smoothing=0.1, temperature=0.07)
    raw, neck = torch.randn(4, 4, requires_grad=True), torch.randn(4, 4, requires_grad=True)
    losses = loss(Features(raw, neck), torch.tensor([0, 0, 1, 1]))
    assert losses.total.item() == pytest.approx(losses.identity.item() + losses.contrastive.item())
    losses.total.backward()
    for tensor in (raw, neck, loss.classifier.weight):
        assert tensor.grad is not None
        assert tensor.grad.abs().sum() > 0
