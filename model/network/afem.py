"""AFEM, the adaptive fine-grained enhancement module (Eq. 4)."""

import torch
from torch import Tensor, nn

from model.presets import Afem


class AFEM(nn.Module):
    """T_s' = f(T_s) + sum_i w_i (x) f(T_s), Eq. 4, with f = Linear -> BatchNorm -> ReLU and w ~ N(0, 1).

    The paper leaves open what a group is; with h = f(T_s) and G groups,

    * "A" splits the channels of h into G equal chunks: T_s'[g] = (1 + w_g) h[g], one scalar per group;
    * "A'" weights every channel: T_s'[g] = (1 + w_g) * h[g] with w of shape (G, D / G);
    * "C" has G + 1 transforms f_0 ... f_G: T_s' = h_0 + sum_i w_i h_i, one scalar per group.

    The weights pass through neither sigmoid nor softmax, and there is no dropout.

    Args:
        features: d_s, length of T_s (512 for TinyCLIP).
        embedding: D, length of the embedding (2048 in the paper).
        afem: The preset's AFEM part.
    """

    def __init__(self, features: int, embedding: int, afem: Afem) -> None:
        super().__init__()
        self.variant = afem.variant
        self.groups = afem.groups
        # Variant C's transforms are stacked: each channel's Linear, BatchNorm and ReLU see no other channel's.
        transforms = afem.groups + 1 if afem.variant == "C" else 1
        # No bias: the BatchNorm that follows would take it away again.
        linear = nn.Linear(features, transforms * embedding, bias=False)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        self.transform = nn.Sequential(linear, nn.BatchNorm1d(transforms * embedding), nn.ReLU())
        per_group = embedding // afem.groups if afem.variant == "A'" else 1
        self.weight = nn.Parameter(torch.randn(afem.groups, per_group))

    def forward(self, semantic: Tensor) -> Tensor:
        """T_s' of shape (N, D) from the raw, not normalised T_s of shape (N, d_s)."""
        hidden: Tensor = self.transform(semantic)
        if self.variant == "C":
            first, *others = hidden.chunk(self.groups + 1, dim=1)
            return first + torch.einsum("gnd,g->nd", torch.stack(others), self.weight[:, 0])
        weighted: Tensor = hidden.reshape(len(hidden), self.groups, hidden.shape[1] // self.groups) * (1 + self.weight)
        return weighted.flatten(1)
