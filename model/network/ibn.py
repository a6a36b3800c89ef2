"""IBN-a ResNets and ResNeXts, with the parameter names of the released IBN-Net files.

IBN-a (Pan et al., "Two at Once", ECCV 2018): in layers 1 to 3 the normalisation after a block's first 1x1 convolution
is half instance, half batch normalisation; layer 4 is plain.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck, ResNet


class IBN(nn.Module):
    """Instance normalisation on the first half of the channels, batch normalisation on the rest.

    Args:
        channels: Number of channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        # Not named `half`: that would hide the module's own method.
        self.instance_channels = channels // 2
        self.IN = nn.InstanceNorm2d(self.instance_channels, affine=True)
        self.BN = nn.BatchNorm2d(channels - self.instance_channels)

    def forward(self, features: Tensor) -> Tensor:
        """Normalise features of shape (N, C, H, W)."""
        instance, batch = features[:, : self.instance_channels], features[:, self.instance_channels :]
        return torch.cat((self.IN(instance.contiguous()), self.BN(batch.contiguous())), dim=1)


class SqueezeExcitation(nn.Module):
    """Channel attention (Hu et al., CVPR 2018), bias-free as in the released SE-ResNet-IBN file.

    Args:
        channels: Number of channels.
        reduction: How many times narrower the hidden layer is.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.fc = nn.Sequential(
            nn.Linear(channels, channels // reduction, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(channels // reduction, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Scale each channel of features of shape (N, C, H, W)."""
        scale: Tensor = self.fc(features.mean(dim=(2, 3)))
        return features * scale[:, :, None, None]


class SEBottleneck(Bottleneck):  # type: ignore[misc]  # torchvision has no annotations
    """torchvision's bottleneck with squeeze and excitation on the residual, before the sum."""

    def __init__(self, inplanes: int, planes: int, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - torchvision's own arguments
        super().__init__(inplanes, planes, *args, **kwargs)
        self.se = SqueezeExcitation(planes * self.expansion)

    def forward(self, x: Tensor) -> Tensor:
        """Run the block on features of shape (N, C, H, W)."""
        residual = self.relu(self.bn1(self.conv1(x)))
        residual = self.relu(self.bn2(self.conv2(residual)))
        residual = self.se(self.bn3(self.conv3(residual)))
        shortcut = x if self.downsample is None else self.downsample(x)
        return cast("Tensor", self.relu(residual + shortcut))


class ResNetIBN(ResNet):  # type: ignore[misc]  # torchvision has no annotations
    """A ResNet or ResNeXt of bottlenecks with IBN-a, without classifier: images in, pooled features out.

    Its stem's pool has no parameters, so it is called torchvision's `maxpool` here although the released ResNeXt code
    calls it maxpool1: the files do not differ.

    Args:
        block: torchvision's Bottleneck or a subclass.
        depths: Blocks in each of the four layers.
        last_stride: 2, or 1 for a layer 4 that keeps layer 3's resolution.
        groups: Groups of the 3x3 convolutions (cardinality C).
        width_per_group: Base width of a group.
    """

    num_features = 2048

    def __init__(
        self,
        block: type[Bottleneck],
        depths: tuple[int, int, int, int],
        *,
        last_stride: int = 2,
        groups: int = 1,
        width_per_group: int = 64,
    ) -> None:
        super().__init__(block, list(depths), num_classes=1, groups=groups, width_per_group=width_per_group)
        del self.fc
        for layer in (self.layer1, self.layer2, self.layer3):
            for bottleneck in layer:
                bottleneck.bn1 = IBN(bottleneck.bn1.num_features)
        if last_stride == 1:
            self.layer4[0].conv2.stride = (1, 1)
            self.layer4[0].downsample[0].stride = (1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """T_a of normalised images of shape (N, 3, H, W): shape (N, 2048)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return torch.flatten(self.avgpool(x), 1)
