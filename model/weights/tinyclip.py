"""TinyCLIP's image towers from their released files, in either of the two layouts in circulation."""

from pathlib import Path

import torch
import torch.nn.functional as F
from open_clip.transformer import VisionTransformer
from torch import Tensor

from model.errors import WeightsError
from model.weights.state import StateDict, load_exactly, read_state

_RELEASED = "_image_encoder.module.visual."
_HUGGING_FACE = "vision_model."
_AUTO = "image_encoder_without_ddp."

_HF_NAMES = {
    "embeddings.class_embedding": "class_embedding",
    "embeddings.patch_embedding.weight": "conv1.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "pre_layrnorm.": "ln_pre.",
    "post_layernorm.": "ln_post.",
    "encoder.layers.": "transformer.resblocks.",
}
_HF_BLOCK_NAMES = {
    ".layer_norm1.": ".ln_1.",
    ".layer_norm2.": ".ln_2.",
    ".self_attn.out_proj.": ".attn.out_proj.",
    ".mlp.fc1.": ".mlp.c_fc.",
    ".mlp.fc2.": ".mlp.c_proj.",
}


def load_tinyclip(tower: VisionTransformer, path: Path) -> None:
    """Load a released TinyCLIP image tower.

    Both the released .pt files (`_image_encoder.module.visual.*`) and the Hugging Face copies (CLIPModel's names) are
    read; what belongs to the text tower is passed over. Position embeddings are resized to the tower's grid.

    Args:
        tower: A preset's tower (`CLIPSENet.semantic`).
        path: The file.

    Raises:
        WeightsError: The file is missing or damaged, is of TinyCLIP's "auto" layout or an unknown one, or is another
            tower than the preset's.
    """
    load_exactly(tower, tinyclip_state(tower, read_state(path), path), source=path)


def tinyclip_state(tower: VisionTransformer, state: StateDict, source: str | Path) -> StateDict:
    """The image tower's tensors of a TinyCLIP file by the tower's own names, position embeddings resized to its grid.

    Args:
        tower: Where they are to be loaded.
        state: The file, in either layout.
        source: Where they come from, for the message.

    Raises:
        WeightsError: The file is of TinyCLIP's "auto" layout or an unknown one, or lacks a part of its layout.
    """
    own = _own_names(state, source)
    positions = own.get("positional_embedding")
    if positions is not None:
        own["positional_embedding"] = resize_positions(positions, tower.grid_size[0], source=source)
    return own


def resize_positions(positions: Tensor, side: int, *, source: str | Path) -> Tensor:
    """Resize position embeddings to another square grid, bicubic with antialiasing; the CLS row is kept.

    Args:
        positions: Shape (1 + g * g, width), CLS row first.
        side: Side of the new grid.
        source: Where they come from, for the message.

    Returns:
        Shape (1 + side * side, width); the same tensor where the grid is the same.

    Raises:
        WeightsError: The rows are no square grid after a CLS row.
    """
    rows = positions.shape[0] - 1 if positions.ndim else 0
    old = round(max(rows, 0) ** 0.5)
    if positions.ndim != 2 or rows < 1 or old * old != rows:  # noqa: PLR2004
        raise WeightsError(
            f"The position embeddings of {source} have shape {tuple(positions.shape)}, no square grid after a CLS row: "
            "this is no TinyCLIP image tower."
        )
    if old == side:
        return positions
    grid = positions[1:].float().T.reshape(1, -1, old, old)
    resized = F.interpolate(grid, size=(side, side), mode="bicubic", antialias=True, align_corners=False)
    return torch.cat((positions[:1].float(), resized.reshape(positions.shape[1], -1).T))


def _own_names(state: StateDict, source: str | Path) -> StateDict:
    if any(name.startswith(_AUTO) for name in state):
        raise WeightsError(
            f"{source} is one of TinyCLIP's 'auto' checkpoints, whose layers are pruned to different sizes: "
            "use a manual one (ViT-8M/16, ViT-39M/16, ViT-40M/32 or ViT-61M/32)."
        )
    if any(name.startswith(_RELEASED) for name in state):
        return {name.removeprefix(_RELEASED): value for name, value in state.items() if name.startswith(_RELEASED)}
    if any(name.startswith(_HUGGING_FACE) for name in state):
        return _from_hugging_face(state, source)
    raise WeightsError(
        f"{source} is in no known layout of TinyCLIP: expected names that start with {_RELEASED} (released files) "
        f"or {_HUGGING_FACE} (Hugging Face copies)."
    )


def _from_hugging_face(state: StateDict, source: str | Path) -> StateDict:
    vision = {
        name.removeprefix(_HUGGING_FACE): value for name, value in state.items() if name.startswith(_HUGGING_FACE)
    }
    vision.pop("embeddings.position_ids", None)  # a buffer 0, 1, 2, ... in older files
    own = {_renamed(name): value for name, value in vision.items() if ".self_attn." not in name or ".out_proj." in name}
    blocks = {name.split(".self_attn.")[0] for name in vision if ".self_attn." in name}
    try:
        own["proj"] = state["visual_projection.weight"].T
        for block in blocks:
            for kind in ("weight", "bias"):
                parts = [vision[f"{block}.self_attn.{part}_proj.{kind}"] for part in "qkv"]
                own[f"{_renamed(block + '.')}attn.in_proj_{kind}"] = torch.cat(parts)
    except KeyError as error:
        raise WeightsError(f"{source} lacks {error}: fetch it again.") from error
    return own


def _renamed(name: str) -> str:
    for theirs, ours in _HF_NAMES.items():
        if name.startswith(theirs):
            name = ours + name.removeprefix(theirs)
            break
    for theirs, ours in _HF_BLOCK_NAMES.items():
        name = name.replace(theirs, ours)
    return name
