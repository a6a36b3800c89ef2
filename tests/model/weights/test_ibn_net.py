"""Released IBN-Net files: a file with their names, made here, gives the outputs of a plain reading of their names."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from model.errors import WeightsError
from model.network import build_appearance
from model.network.ibn import ResNetIBN
from model.presets import Appearance
from model.weights import load_ibn_net

State = dict[str, Tensor]
DEPTHS = {"resnet50_ibn_a": (3, 4, 6, 3)}
DEEP = (3, 4, 23, 3)


class Released:
    """A file of the released layout with random values, and the forward pass that its names describe.

    Written from the names and shapes of the released files alone, with functions of torch and no module of the package.
    """

    def __init__(self, kind: str, last_stride: int = 2) -> None:
        self.cardinality = 32 if kind.startswith("resnext") else 1
        self.squeeze = kind.startswith("se_")
        self.depths = DEPTHS.get(kind, DEEP)
        self.last_stride = last_stride
        self.state: State = {}
        self._convolution("conv1", 64, 3, 7)
        self._batch_norm("bn1", 64)
        channels = 64
        for layer, depth in enumerate(self.depths, start=1):
            for block in range(depth):
                channels = self._block(f"layer{layer}.{block}", layer, channels, first=block == 0)
        self.state["fc.weight"] = torch.randn(1000, 2048)
        self.state["fc.bias"] = torch.randn(1000)

    def __call__(self, images: Tensor) -> Tensor:
        features = F.relu(self._norm(self._conv(images, "conv1", stride=2, padding=3), "bn1"))
        features = F.max_pool2d(features, 3, stride=2, padding=1)
        for layer, depth in enumerate(self.depths, start=1):
            stride = {1: 1, 4: self.last_stride}.get(layer, 2)
            for block in range(depth):
                features = self._run_block(
                    features, f"layer{layer}.{block}", stride if block == 0 else 1, ibn=layer < 4
                )
        return F.adaptive_avg_pool2d(features, 1).flatten(1)

    def _run_block(self, features: Tensor, name: str, stride: int, *, ibn: bool) -> Tensor:
        out = self._conv(features, f"{name}.conv1")
        if ibn:
            half = out.shape[1] // 2
            weight, bias = self.state[f"{name}.bn1.IN.weight"], self.state[f"{name}.bn1.IN.bias"]
            instance = F.instance_norm(out[:, :half].contiguous(), weight=weight, bias=bias)
            out = torch.cat([instance, self._norm(out[:, half:].contiguous(), f"{name}.bn1.BN")], dim=1)
        else:
            out = self._norm(out, f"{name}.bn1")
        out = self._conv(F.relu(out), f"{name}.conv2", stride=stride, padding=1, groups=self.cardinality)
        out = self._conv(F.relu(self._norm(out, f"{name}.bn2")), f"{name}.conv3")
        out = self._norm(out, f"{name}.bn3")
        if self.squeeze:
            hidden = F.relu(F.linear(out.mean(dim=(2, 3)), self.state[f"{name}.se.fc.0.weight"]))
            out = out * torch.sigmoid(F.linear(hidden, self.state[f"{name}.se.fc.2.weight"]))[:, :, None, None]
        if f"{name}.downsample.0.weight" in self.state:
            features = self._norm(self._conv(features, f"{name}.downsample.0", stride=stride), f"{name}.downsample.1")
        return F.relu(out + features)

    def _conv(self, features: Tensor, name: str, **options: int) -> Tensor:
        return F.conv2d(features, self.state[f"{name}.weight"], **cast("dict[str, Any]", options))

    def _norm(self, features: Tensor, name: str) -> Tensor:
        mean, var, weight, bias = (self.state[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(features, mean, var, weight, bias)

    def _block(self, name: str, layer: int, inputs: int, *, first: bool) -> int:
        planes = 64 * 2 ** (layer - 1)
        width = 2 * planes if self.cardinality == 32 else planes
        self._convolution(f"{name}.conv1", width, inputs, 1)
        if layer < 4:
            self._scale(f"{name}.bn1.IN", width // 2)
            self._batch_norm(f"{name}.bn1.BN", width // 2)
        else:
            self._batch_norm(f"{name}.bn1", width)
        self._convolution(f"{name}.conv2", width, width // self.cardinality, 3)
        self._batch_norm(f"{name}.bn2", width)
        self._convolution(f"{name}.conv3", planes * 4, width, 1)
        self._batch_norm(f"{name}.bn3", planes * 4)
        self.state[f"{name}.bn3.weight"] *= 0.2  # keeps the sum over many blocks in range
        if self.squeeze:
            self.state[f"{name}.se.fc.0.weight"] = torch.randn(planes // 4, planes * 4) * 0.1
            self.state[f"{name}.se.fc.2.weight"] = torch.randn(planes * 4, planes // 4) * 0.1
        if first:
            self._convolution(f"{name}.downsample.0", planes * 4, inputs, 1)
            self._batch_norm(f"{name}.downsample.1", planes * 4)
        return planes * 4

    def _convolution(self, name: str, outputs: int, inputs: int, size: int) -> None:
        self.state[f"{name}.weight"] = torch.randn(outputs, inputs, size, size) * (2 / (inputs * size * size)) ** 0.5

    def _scale(self, name: str, channels: int) -> None:
        self.state[f"{name}.weight"] = torch.rand(channels) + 0.5
        self.state[f"{name}.bias"] = torch.randn(channels) * 0.1

    def _batch_norm(self, name: str, channels: int) -> None:
        self._scale(name, channels)
        self.state[f"{name}.running_mean"] = torch.randn(channels) * 0.1
        self.state[f"{name}.running_var"] = torch.rand(channels) + 0.5


Build = Callable[..., ResNetIBN]


@pytest.fixture
def build() -> Build:
    def make(kind: str, last_stride: int = 2) -> ResNetIBN:
        network = build_appearance(Appearance.model_validate({"kind": kind, "last_stride": last_stride})).network
        assert isinstance(network, ResNetIBN)
        return network.eval()

    return make


@pytest.mark.parametrize(
    ("kind", "last_stride"),
    [("resnet50_ibn_a", 2), ("resnet50_ibn_a", 1), ("se_resnet101_ibn_a", 2), ("resnext101_ibn_a", 2)],
)
def test_a_released_file_gives_bit_equal_features(build: Build, tmp_path: Path, kind: str, last_stride: int) -> None:
    released = Released(kind, last_stride)
    torch.save(released.state, tmp_path / "released.pth")
    network = build(kind, last_stride)
    load_ibn_net(network, tmp_path / "released.pth")
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        ours, expected = network(images), released(images)
    assert torch.equal(ours, expected)
    assert ours.shape == (2, 2048)
    assert float(ours.std()) > 0.01
    assert float((ours[0] - ours[1]).abs().max()) > 0.001


def test_a_data_parallel_prefix_is_taken_off(build: Build, tmp_path: Path) -> None:
    released = Released("resnet50_ibn_a")
    torch.save({"state_dict": {f"module.{name}": value for name, value in released.state.items()}}, tmp_path / "a.pth")
    network = build("resnet50_ibn_a")
    load_ibn_net(network, tmp_path / "a.pth")
    assert torch.equal(network.get_parameter("conv1.weight"), released.state["conv1.weight"])


def test_a_file_of_another_depth_is_refused(build: Build, tmp_path: Path) -> None:
    torch.save(Released("resnet50_ibn_a").state, tmp_path / "r50.pth")
    with pytest.raises(
        WeightsError, match=r"layer3\.10\.bn1\.BN\.bias.* missing.*Choose the preset that the file was made for"
    ):
        load_ibn_net(build("resnet101_ibn_a"), tmp_path / "r50.pth")


def test_a_file_of_another_width_is_refused_and_changes_nothing(build: Build, tmp_path: Path) -> None:
    torch.save(Released("resnet101_ibn_a").state, tmp_path / "r101.pth")
    network = build("resnext101_ibn_a")
    before = network.get_parameter("conv1.weight").clone()
    with pytest.raises(WeightsError, match=r"has shape .* the preset needs .*Choose the preset"):
        load_ibn_net(network, tmp_path / "r101.pth")
    assert torch.equal(network.get_parameter("conv1.weight"), before)


def test_a_plain_resnet_is_refused(build: Build, tmp_path: Path) -> None:
    state = {name.replace(".bn1.BN.", ".bn1."): value for name, value in Released("resnet50_ibn_a").state.items()}
    torch.save({name: value for name, value in state.items() if ".IN." not in name}, tmp_path / "plain.pth")
    with pytest.raises(WeightsError, match=r"layer1\.0\.bn1\.BN\.bias"):
        load_ibn_net(build("resnet50_ibn_a"), tmp_path / "plain.pth")
