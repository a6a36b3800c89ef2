import math

import pytest
import torch
import torch.nn.functional as F

from model.network import Features
from model.training.captions import CaptionTerm, TextTower
from model.training.errors import TrainingError

CAPTIONS = ["a red van, front view", "a white bus, rear view", "A red van, front view.", "a red van, rear view"]


def features(semantic: torch.Tensor | None) -> Features:
    unused = torch.zeros(0 if semantic is None else len(semantic), 4)
    return Features(unused, unused, semantic)


def test_the_loss_is_clips_with_the_target_shared_by_equal_captions() -> None:
    term = CaptionTerm(CAPTIONS)
    crops = torch.tensor([3, 0, 2])
    semantic = torch.randn(3, 512)
    found = term(features(semantic), torch.zeros(3), crops)
    texts = term.text(term.tokens[crops]).detach()
    logits = (F.normalize(semantic, dim=1) @ texts.T).tolist()
    # Captions 0 and 2 differ in case and punctuation only, so each is as right as the other.
    targets = [[1, 0, 0], [0, 0.5, 0.5], [0, 0.5, 0.5]]
    total = 0.0
    for row in range(3):
        for cells in (logits[row], [logits[other][row] for other in range(3)]):
            normalizer = math.log(sum(math.exp(cell) for cell in cells))
            total -= sum(share * (cell - normalizer) for share, cell in zip(targets[row], cells, strict=True))
    assert found.item() == pytest.approx(total / 6, rel=1e-4)


def test_text_features_have_the_length_of_the_inverse_temperature() -> None:
    tower = TextTower(5)
    tokens = torch.zeros(2, 48, dtype=torch.long)
    tokens[:, 0], tokens[:, 1] = torch.tensor([1, 2]), 6
    torch.testing.assert_close(tower(tokens).norm(dim=1), torch.full((2,), 1 / 0.07))


def test_the_order_of_words_counts() -> None:
    term = CaptionTerm(["a red and white bus", "a white and red bus"])
    first, second = term.text(term.tokens)
    assert not torch.allclose(first, second, atol=1e-3)


def test_it_teaches_the_tower_to_find_the_caption() -> None:
    torch.manual_seed(0)
    term = CaptionTerm(CAPTIONS)
    semantic = torch.nn.Parameter(torch.randn(4, 512))
    optimiser = torch.optim.Adam([semantic, *term.parameters()], lr=3e-3)
    for _ in range(40):
        loss = term(features(semantic), torch.zeros(4), torch.arange(4))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    # The two crops of one caption cannot be told apart: half of the probability each, in both directions.
    assert loss.item() < math.log(2) / 2 + 0.1
    assert {"text.scale", "text.transformer.text_projection"} <= {
        name for name, part in term.named_parameters() if part.grad is not None and bool(part.grad.any())
    }


def test_a_long_caption_is_cut_and_keeps_its_end_mark() -> None:
    term = CaptionTerm([" ".join(f"w{number}" for number in range(100)), "short"])
    assert term.tokens.shape == (2, 48)
    assert term.tokens[0, -1] == term.tokens.max()


def test_crops_without_captions_are_refused() -> None:
    with pytest.raises(TrainingError, match="1 of 2 crops have none"):
        CaptionTerm(["a red van", None])


def test_one_caption_for_all_is_refused() -> None:
    with pytest.raises(TrainingError, match="the same caption"):
        CaptionTerm(["a red van", "A RED VAN!"])


def test_a_network_without_semantic_branch_is_refused() -> None:
    with pytest.raises(TrainingError, match="which the preset leaves out"):
        CaptionTerm(CAPTIONS)(features(None), torch.zeros(0), torch.arange(0))
