"""The appearance branch: a CNN pre-trained on ImageNet, classifier removed, global average pooling -> T_a."""

from typing import TYPE_CHECKING, Any, NamedTuple, cast

import timm
from torch import nn
from torchvision.models.resnet import Bottleneck

from model.network.ibn import ResNetIBN, SEBottleneck
from model.network.normalize import Normalize
from model.presets import Appearance

if TYPE_CHECKING:
    from timm.models.efficientnet import EfficientNet

IMAGENET = Normalize.Statistics(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
LITE = Normalize.Statistics(mean=(127 / 255,) * 3, std=(128 / 255,) * 3)
"""EfficientNet-Lite was trained on (x - 127) / 128 of 8-bit values; its stem's running statistics agree."""

_IBN_NETS: dict[str, dict[str, Any]] = {
    "resnet50_ibn_a": {"block": Bottleneck, "depths": (3, 4, 6, 3)},
    "resnet101_ibn_a": {"block": Bottleneck, "depths": (3, 4, 23, 3)},
    "se_resnet101_ibn_a": {"block": SEBottleneck, "depths": (3, 4, 23, 3)},
    "resnext101_ibn_a": {"block": Bottleneck, "depths": (3, 4, 23, 3), "groups": 32, "width_per_group": 4},
}


class AppearanceBranch(NamedTuple):
    """What `build_appearance` makes.

    Attributes:
        network: Module from normalised images (N, 3, H, W) to T_a (N, `features`).
        features: Length of T_a.
        statistics: Input normalisation that the CNN's ImageNet weights were trained with.
    """

    network: nn.Module
    features: int
    statistics: Normalize.Statistics


def build_appearance(appearance: Appearance) -> AppearanceBranch:
    """Build the CNN of a preset with fresh weights.

    Args:
        appearance: The preset's appearance part.
    """
    if appearance.kind == "efficientnet_lite0":
        return _efficientnet_lite0(appearance.last_stride)
    network = ResNetIBN(**_IBN_NETS[appearance.kind], last_stride=appearance.last_stride)
    return AppearanceBranch(network, network.num_features, IMAGENET)


def _efficientnet_lite0(last_stride: int) -> AppearanceBranch:
    # The "tf_" variant pads as TensorFlow does and has its BatchNorm epsilon: the published weights need both.
    network = cast("EfficientNet", timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0))
    if last_stride == 1:
        network.get_submodule("blocks.5.0.conv_dw").stride = (1, 1)  # type: ignore[assignment]  # a Conv2d's stride
    return AppearanceBranch(network, network.num_features, LITE)
