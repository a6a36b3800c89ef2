"""CLIP-SENet (arXiv 2502.16815): two branches, AFEM, fusion and BNNeck."""

from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.errors import InputError
from model.network import semantic as sem
from model.network.afem import AFEM
from model.network.appearance import build_appearance
from model.network.normalize import Normalize
from model.presets import CameraTable, Preset


class Features(NamedTuple):
    """What CLIP-SENet says about a batch of crops.

    Attributes:
        raw: T of Eq. 5, shape (N, D); the supervised contrastive loss reads it.
        neck: BNNeck(T), shape (N, D); the classifier reads it, and retrieval by default.
        semantic: T_s, shape (N, 512), which captions are compared with in training; None without the semantic branch.
    """

    raw: Tensor
    neck: Tensor
    semantic: Tensor | None = None


class CLIPSENet(nn.Module):
    """The whole network, from un-normalised crops to features.

    T_a is the appearance branch's pooled features, T_s the semantic branch's projected CLS token. Fusion is
    T_u = FC([T_s ; T_a]) without a BatchNorm; the embedding is T = T_u + T_s' with T_s' = AFEM(T_s) (Eq. 4, 5).
    A preset without AFEM leaves T = T_u, one without the semantic branch T = FC(T_a), as the paper's ablation does.
    BNNeck is a BatchNorm on T whose bias stays zero. The classifier is not part of the network: see `Classifier`.

    Args:
        preset: Which towers, sizes and options.

    Attributes:
        preset: The same.
        appearance: The CNN, with the parameter names of its ImageNet files.
        semantic: TinyCLIP's tower, with open_clip's parameter names, or None.
        afem: Eq. 4, or None.
        camera_table: Parameter of shape (cameras * views, D), zero at first, or None (option "CLIP-SENet*").
    """

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.preset = preset
        dimension = preset.embedding_dim
        branch = build_appearance(preset.appearance)
        self.normalize_appearance = Normalize(branch.statistics)
        self.appearance = branch.network
        self.normalize_semantic = Normalize(sem.CLIP) if preset.semantic else None
        self.semantic = sem.build_tower(preset.semantic, preset.semantic_size) if preset.semantic else None
        self.afem = AFEM(sem.EMBEDDING, dimension, preset.afem) if preset.afem else None
        self.fusion = nn.Linear(branch.features + (sem.EMBEDDING if preset.semantic else 0), dimension)
        nn.init.kaiming_normal_(self.fusion.weight, nonlinearity="linear")
        nn.init.zeros_(self.fusion.bias)
        self.neck = nn.BatchNorm1d(dimension)
        self.neck.bias.requires_grad_(False)  # noqa: FBT003 - the argument is positional in torch's annotations
        table = preset.camera_table
        self.camera_table = nn.Parameter(torch.zeros(table.cameras * table.views, dimension)) if table else None

    def forward(self, images: Tensor, cameras: Tensor | None = None, views: Tensor | None = None) -> Features:
        """Features of a batch of crops.

        Args:
            images: RGB in [0, 1], not normalised, float, shape (N, 3, S, S) with S the preset's image_size.
            cameras: Camera of each crop, int64, shape (N,), where the preset has a camera table; else None.
            views: View of each crop, int64, shape (N,), where that table has several views; else None.

        Raises:
            InputError: The images have another shape, or cameras and views do not fit the preset's table.
        """
        size = self.preset.image_size
        if images.ndim != 4 or images.shape[1:] != (3, size, size):  # noqa: PLR2004
            raise InputError(
                f"Preset {self.preset.name} takes images of shape (N, 3, {size}, {size}), not {tuple(images.shape)}."
            )
        raw, semantic = self._embedding(images)
        side = self._camera_rows(cameras, views)
        raw = raw if side is None else raw + side
        return Features(raw, self.neck(raw), semantic)

    def embed(self, images: Tensor, cameras: Tensor | None = None, views: Tensor | None = None) -> Tensor:
        """Unit-length embeddings for retrieval by cosine, float32, shape (N, D); arguments as in `forward`."""
        features = self(images, cameras, views)
        chosen = features.neck if self.preset.retrieval == "neck" else features.raw
        return F.normalize(chosen.float(), dim=1)

    def _embedding(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """T of Eq. 5, or what the preset leaves of it, and T_s."""
        appearance = self.appearance(self.normalize_appearance(images))
        if self.semantic is None or self.normalize_semantic is None:
            return self.fusion(appearance), None
        semantic = self.semantic(self.normalize_semantic(self._resize_semantic(images)))
        fused: Tensor = self.fusion(torch.cat((semantic, appearance), dim=1))
        return (fused if self.afem is None else fused + self.afem(semantic)), semantic

    def _resize_semantic(self, images: Tensor) -> Tensor:
        size = self.preset.semantic_size
        if size == self.preset.image_size:
            return images
        return F.interpolate(images, size=(size, size), mode="bicubic", antialias=True)

    def _camera_rows(self, cameras: Tensor | None, views: Tensor | None) -> Tensor | None:
        table = self.preset.camera_table
        if table is None:
            if cameras is not None or views is not None:
                raise InputError(
                    f"Preset {self.preset.name} has no camera table: call the network without cameras and views."
                )
            return None
        if cameras is None or (views is None) != (table.views == 1):
            wanted = "cameras" if table.views == 1 else "cameras and views"
            raise InputError(
                f"Preset {self.preset.name} has a camera table: call the network with {wanted} of every crop."
            )
        return cast("Tensor", self.camera_table)[_table_rows(table, cameras, views)]


def _table_rows(table: CameraTable, cameras: Tensor, views: Tensor | None) -> Tensor:
    for name, labels, count in (("cameras", cameras, table.cameras), ("views", views, table.views)):
        if labels is not None and labels.numel() and (int(labels.min()) < 0 or int(labels.max()) >= count):
            raise InputError(f"{name} must lie in 0..{count - 1}, the range of the preset's camera table.")
    return cameras * table.views + (0 if views is None else views)


class Classifier(nn.Linear):
    """Bias-free identity classifier on the BNNeck output, used in training only.

    Args:
        features: D, length of the embedding.
        identities: Number of training identities.
    """

    def __init__(self, features: int, identities: int) -> None:
        super().__init__(features, identities, bias=False)
        nn.init.kaiming_normal_(self.weight, nonlinearity="linear")
