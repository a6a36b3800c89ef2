"""The semantic branch (SEM): TinyCLIP's image encoder only, built through open_clip's vision transformer."""

from typing import NamedTuple

from open_clip.transformer import VisionTransformer

from model.network.normalize import Normalize
from model.presets import Semantic, TowerName

CLIP = Normalize.Statistics(mean=(0.48145466, 0.4578275, 0.40821073), std=(0.26862954, 0.26130258, 0.27577711))
"""OpenAI CLIP's input statistics, TinyCLIP's too."""

EMBEDDING = 512
"""Length of T_s: every TinyCLIP tower projects its CLS token to 512."""


class _Geometry(NamedTuple):
    width: int
    layers: int
    heads: int


_TOWERS: dict[TowerName, _Geometry] = {
    "ViT-8M/16": _Geometry(256, 10, 4),
    "ViT-39M/16": _Geometry(512, 12, 8),
    "ViT-40M/32": _Geometry(512, 12, 8),
    "ViT-61M/32": _Geometry(640, 12, 10),
}


def build_tower(semantic: Semantic, image_size: int) -> VisionTransformer:
    """Build TinyCLIP's image tower with fresh weights.

    The defaults of open_clip's class are TinyCLIP's: exact GELU, LayerNorm with epsilon 1e-5 before and after the
    blocks, CLS token, bias-free patch convolution.

    Args:
        semantic: The preset's semantic part.
        image_size: Side in pixels of the images it will see; fixes the grid of the position embeddings.

    Returns:
        Module from CLIP-normalised images (N, 3, image_size, image_size) to T_s (N, 512).
    """
    geometry = _TOWERS[semantic.tower]
    return VisionTransformer(
        image_size=image_size,
        patch_size=semantic.patch_size,
        width=geometry.width,
        layers=geometry.layers,
        heads=geometry.heads,
        mlp_ratio=4.0,
        output_dim=EMBEDDING,
    )
