"""Image-text contrast: T_s against captions, which gives the semantic tower its CLIP-like start.

Radford et al.: "Learning Transferable Visual Models From Natural Language Supervision" (CLIP), arXiv 2103.00020,
section 2.3: cosines of all pairs of a batch, over a learned temperature, cross-entropy along rows and along columns.
Several crops of a batch may have one caption; they share the target, as none of them is more right than another.
"""

import math
import re
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from open_clip.transformer import TextTransformer
from torch import Tensor, nn

from model.network import Features
from model.network.semantic import EMBEDDING
from model.training.errors import TrainingError

CONTEXT = 48
"""Words of a caption that are read, the end mark included."""
_WORD = re.compile(r"[a-z0-9]+")
_WARMEST = math.log(100)
"""CLIP's limit of the learned temperature's inverse, as a logarithm."""


class TextTower(nn.Module):
    """open_clip's text transformer over the words of the captions it is trained on, and CLIP's learned temperature.

    The captions of one set use few words, so a word is a token. The tower is thrown away after training.

    Args:
        words: Number of words; tokens are 1 to `words`, then the end mark.
    """

    def __init__(self, words: int) -> None:
        super().__init__()
        self.transformer = TextTransformer(
            context_length=CONTEXT, vocab_size=words + 2, width=128, heads=4, layers=3, output_dim=EMBEDDING
        )
        self.scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(self, tokens: Tensor) -> Tensor:
        """Unit-length text features, shape (N, 512), of tokens of shape (N, 48), times the inverse temperature."""
        return F.normalize(self.transformer(tokens), dim=1) * self.scale.clamp(max=_WARMEST).exp()


class CaptionTerm(nn.Module):
    """CLIP's loss between T_s and the captions of the crops.

    Args:
        captions: Caption of each crop of the list learned from.

    Raises:
        TrainingError: A crop has no caption, or all have the same.
    """

    tokens: Tensor
    texts: Tensor

    def __init__(self, captions: Sequence[str | None]) -> None:
        super().__init__()
        if missing := sum(not caption for caption in captions):
            raise TrainingError(
                f"The recipe compares crops with captions, and {missing} of {len(captions)} crops have none: give a "
                "manifest with a column caption, or leave captions out of the recipe."
            )
        said = [_WORD.findall((caption or "").lower()) for caption in captions]
        different = sorted({" ".join(words) for words in said})
        if len(different) < 2:  # noqa: PLR2004 - one text is no contrast
            raise TrainingError("All crops have the same caption, so there is nothing to tell apart by it.")
        vocabulary = {word: token for token, word in enumerate(sorted({word for words in said for word in words}), 1)}
        number = {text: place for place, text in enumerate(different)}
        self.text = TextTower(len(vocabulary))
        rows = [_tokens(words, vocabulary) for words in said]
        self.register_buffer("tokens", torch.tensor(rows), persistent=False)
        self.register_buffer("texts", torch.tensor([number[" ".join(words)] for words in said]), persistent=False)

    def forward(self, features: Features, labels: Tensor, crops: Tensor) -> Tensor:  # noqa: ARG002 - a term's arguments
        """Mean over the crops and over both directions.

        Raises:
            TrainingError: The network has no semantic branch.
        """
        if features.semantic is None:
            raise TrainingError("Captions train the semantic branch, which the preset leaves out.")
        texts = self.texts[crops]
        same = (texts[:, None] == texts).float()
        target = same / same.sum(dim=1, keepdim=True)
        logits = F.normalize(features.semantic, dim=1) @ cast("Tensor", self.text(self.tokens[crops])).T
        return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def _tokens(words: Sequence[str], vocabulary: dict[str, int]) -> list[int]:
    # The transformer reads its answer at the highest token, which therefore is the end mark.
    said = [*(vocabulary[word] for word in words[: CONTEXT - 1]), len(vocabulary) + 1]
    return said + [0] * (CONTEXT - len(said))
