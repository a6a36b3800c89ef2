"""Presets: which towers, sizes and options make one CLIP-SENet. A preset is data, one small JSON file each.

Everything that paper.md calls a choice is a named field here, so that two networks differ by their presets only.
"""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from model.errors import PresetError

AppearanceKind = Literal[
    "resnet50_ibn_a", "resnet101_ibn_a", "se_resnet101_ibn_a", "resnext101_ibn_a", "efficientnet_lite0"
]
TowerName = Literal["ViT-8M/16", "ViT-39M/16", "ViT-40M/32", "ViT-61M/32"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Appearance(_Part):
    """The appearance branch: a CNN with global average pooling that gives T_a.

    Attributes:
        kind: Which CNN.
        last_stride: Stride of its last down-sampling stage; 1 doubles the last feature map's side.
    """

    kind: AppearanceKind
    last_stride: Literal[1, 2] = 2


class Semantic(_Part):
    """The semantic branch (SEM): TinyCLIP's image tower, whose projected CLS token is T_s.

    Attributes:
        tower: TinyCLIP's name of the tower; the number after the slash is the patch size.
        input_size: Side in pixels that the tower sees, where it differs from the preset's `image_size`
            (224 is what TinyCLIP was trained at); None means the same.
    """

    tower: TowerName
    input_size: Annotated[int, Field(gt=0)] | None = None

    @property
    def patch_size(self) -> int:
        """Side of a patch in pixels."""
        return int(self.tower.rpartition("/")[2])


class Afem(_Part):
    """The adaptive fine-grained enhancement module (Eq. 4).

    Attributes:
        variant: "A" one weight per group of channels, "A'" one weight per channel, "C" one transform f_i per group.
        groups: G, the number of groups; the paper's best is 32.
    """

    variant: Literal["A", "A'", "C"] = "A"
    groups: Annotated[int, Field(gt=0)] = 32


class CameraTable(_Part):
    """The learned table of "CLIP-SENet*", added to T: one row per camera and view.

    Attributes:
        cameras: Number of cameras.
        views: Number of views (front, rear, ...); 1 where a data set labels none.
    """

    cameras: Annotated[int, Field(gt=0)]
    views: Annotated[int, Field(gt=0)] = 1


class Preset(_Part):
    """One CLIP-SENet.

    Attributes:
        name: The preset's name; part of the model id.
        image_size: Side of the square input in pixels.
        embedding_dim: D, the length of T and of the embedding (2048 in the paper).
        appearance: The CNN branch.
        semantic: The TinyCLIP branch; None leaves it out, so that T = FC(T_a): the baseline of the paper's ablation.
        afem: The enhancement of T_s; None leaves it out, so that T = T_u: the ablation's "+SEM".
        camera_table: Camera and view table, or None where the network sees pictures only.
        retrieval: What is compared by cosine: "neck", the BNNeck output, or "raw", T itself.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
    image_size: Annotated[int, Field(ge=32, le=1024)]
    embedding_dim: Annotated[int, Field(gt=0)]
    appearance: Appearance
    semantic: Semantic | None
    afem: Afem | None = Afem()
    camera_table: CameraTable | None = None
    retrieval: Literal["neck", "raw"] = "neck"

    @property
    def semantic_size(self) -> int:
        """Side in pixels that the semantic tower sees; the image size where there is none."""
        return (self.semantic and self.semantic.input_size) or self.image_size

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.semantic is None and self.afem is not None:
            raise ValueError("without a semantic branch there is nothing for AFEM to enhance: set afem to null as well")
        if self.semantic and self.semantic_size % self.semantic.patch_size:
            raise ValueError(
                f"the tower {self.semantic.tower} sees {self.semantic_size} px, which is no multiple of its patch size "
                f"{self.semantic.patch_size}: change image_size or semantic.input_size"
            )
        if self.afem and self.afem.variant != "C" and self.embedding_dim % self.afem.groups:
            raise ValueError(
                f"embedding_dim {self.embedding_dim} does not divide into afem.groups = {self.afem.groups} equal groups"
            )
        return self


def load_preset(name_or_path: str | Path) -> Preset:
    """Read a preset.

    Args:
        name_or_path: The name of a preset that comes with the package ("paper", "starter"), or the path of a JSON file
            (anything that ends in ".json").

    Returns:
        The preset.

    Raises:
        PresetError: There is no such preset or file, or its content is not a preset.
    """
    text = _read(str(name_or_path))
    try:
        return Preset.model_validate_json(text)
    except ValidationError as error:
        raise PresetError(f"{name_or_path} is not a preset: {error}") from error


def preset_names() -> list[str]:
    """Names of the presets that come with the package, sorted."""
    return sorted(entry.name.removesuffix(".json") for entry in _folder().iterdir() if entry.name.endswith(".json"))


def _folder() -> Traversable:
    return files("model.presets")


def _read(name_or_path: str) -> str:
    if not name_or_path.endswith(".json"):
        if name_or_path not in preset_names():
            known = ", ".join(preset_names())
            raise PresetError(
                f"No preset is called {name_or_path!r}; there are {known}, or give the path of a .json file."
            )
        return (_folder() / f"{name_or_path}.json").read_text(encoding="utf-8")
    try:
        return Path(name_or_path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PresetError(f"The preset file {name_or_path} cannot be read: {error}") from error
