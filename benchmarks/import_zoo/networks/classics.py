"""Classic networks that timm lacks, written out with the names their published weights have."""

# ruff: noqa: D102 - a forward pass is what its class says

from collections.abc import Callable

import torch
from torch import nn

from .network import Input, Network

PICTURE = (Input((3, 96, 128)),)


class ConvNorm(nn.Module):
    """Convolution without a bias, BatchNorm, ReLU: GoogLeNet's `BasicConv2d`."""

    def __init__(self, inputs: int, outputs: int, kernel: int, **options: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, bias=False, **options)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.bn(self.conv(x)))


class Inception(nn.Module):
    """Four branches side by side (Szegedy et al. 2014), as torchvision has them."""

    def __init__(self, inputs: int, widths: tuple[int, int, int, int, int, int]) -> None:
        super().__init__()
        one, three_in, three, five_in, five, pool = widths
        self.branch1 = ConvNorm(inputs, one, 1)
        self.branch2 = nn.Sequential(
            ConvNorm(inputs, three_in, 1), ConvNorm(three_in, three, 3, padding=1)
        )
        self.branch3 = nn.Sequential(
            ConvNorm(inputs, five_in, 1), ConvNorm(five_in, five, 3, padding=1)
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1, ceil_mode=True), ConvNorm(inputs, pool, 1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class GoogLeNet(nn.Module):
    """GoogLeNet with BatchNorm and pools that round up."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = ConvNorm(3, 64, 7, stride=2, padding=3)
        self.conv2 = ConvNorm(64, 64, 1)
        self.conv3 = ConvNorm(64, 192, 3, padding=1)
        self.inception3a = Inception(192, (64, 96, 128, 16, 32, 32))
        self.inception3b = Inception(256, (128, 128, 192, 32, 96, 64))
        self.inception4a = Inception(480, (192, 96, 208, 16, 48, 64))
        self.inception4b = Inception(512, (160, 112, 224, 24, 64, 64))
        self.inception4c = Inception(512, (128, 128, 256, 24, 64, 64))
        self.inception4d = Inception(512, (112, 144, 288, 32, 64, 64))
        self.inception4e = Inception(528, (256, 160, 320, 32, 128, 128))
        self.inception5a = Inception(832, (256, 160, 320, 32, 128, 128))
        self.inception5b = Inception(832, (384, 192, 384, 48, 128, 128))
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.last_pool = nn.MaxPool2d(2, stride=2, ceil_mode=True)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(1024, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(self.conv1(x))
        x = self.pool(self.conv3(self.conv2(x)))
        x = self.pool(self.inception3b(self.inception3a(x)))
        x = self.inception4c(self.inception4b(self.inception4a(x)))
        x = self.last_pool(self.inception4e(self.inception4d(x)))
        x = self.inception5b(self.inception5a(x))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class Fire(nn.Module):
    """Squeeze to few channels, expand by 1 by 1 and 3 by 3 (Iandola et al. 2016)."""

    def __init__(self, inputs: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.squeeze(x))
        return torch.cat([torch.relu(self.expand1x1(x)), torch.relu(self.expand3x3(x))], 1)


class SqueezeNet(nn.Module):
    """SqueezeNet 1.1."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        stem = [nn.Conv2d(3, 64, 3, stride=2), nn.ReLU(), pool]
        first = [Fire(64, 16, 64), Fire(128, 16, 64), pool]
        second = [Fire(128, 32, 128), Fire(256, 32, 128), pool]
        third = [Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256)]
        self.features = nn.Sequential(*stem, *first, *second, *third)
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Conv2d(512, classes, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.flatten(self.classifier(self.features(x)), 1)


def unit(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """The branch of a ShuffleNet unit: 1 by 1, depthwise 3 by 3, 1 by 1."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, stride, 1, groups=outputs, bias=False),
        nn.BatchNorm2d(outputs),
        nn.Conv2d(outputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class ShuffleUnit(nn.Module):
    """ShuffleNet V2's unit (Ma et al. 2018): half the channels pass, then all are shuffled."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        half = outputs // 2
        self.stride = stride
        if stride == 2:
            self.branch1 = nn.Sequential(
                nn.Conv2d(inputs, inputs, 3, 2, 1, groups=inputs, bias=False),
                nn.BatchNorm2d(inputs),
                nn.Conv2d(inputs, half, 1, bias=False),
                nn.BatchNorm2d(half),
                nn.ReLU(),
            )
        self.branch2 = unit(inputs if stride == 2 else half, half, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.stride == 2:
            x = torch.cat([self.branch1(x), self.branch2(x)], 1)
        else:
            kept, changed = x.chunk(2, dim=1)
            x = torch.cat([kept, self.branch2(changed)], 1)
        batch, channels, height, width = x.shape
        x = x.view(batch, 2, channels // 2, height, width)
        return x.transpose(1, 2).reshape(batch, channels, height, width)


class ShuffleNetV2(nn.Module):
    """ShuffleNet V2 x1.0."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = self._conv(3, 24, 3, 2)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.stage2 = self._stage(24, 116, 4)
        self.stage3 = self._stage(116, 232, 8)
        self.stage4 = self._stage(232, 464, 4)
        self.conv5 = self._conv(464, 1024, 1, 1)
        self.fc = nn.Linear(1024, classes)

    @staticmethod
    def _conv(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
        conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())

    @staticmethod
    def _stage(inputs: int, outputs: int, units: int) -> nn.Sequential:
        rest = [ShuffleUnit(outputs, outputs, 1) for _ in range(units - 1)]
        return nn.Sequential(ShuffleUnit(inputs, outputs, 2), *rest)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stage4(self.stage3(self.stage2(self.maxpool(self.conv1(x)))))
        return self.fc(self.conv5(x).mean([2, 3]))


class Darknet19(nn.Module):
    """Darknet-19 (Redmon and Farhadi 2016): YOLO9000's classifier."""

    WIDTHS = (32, 0, 64, 0, 128, -64, 128, 0, 256, -128, 256, 0)
    LATE = (512, -256, 512, -256, 512, 0, 1024, -512, 1024, -512, 1024)

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        layers, inputs = [], 3
        for width in (*self.WIDTHS, *self.LATE):  # negative: 1 by 1; 0: a pool
            if width == 0:
                layers.append(nn.MaxPool2d(2))
                continue
            kernel = 3 if width > 0 else 1
            conv = nn.Conv2d(inputs, abs(width), kernel, padding=kernel // 2, bias=False)
            layers += [conv, nn.BatchNorm2d(abs(width)), nn.LeakyReLU(0.1)]
            inputs = abs(width)
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Conv2d(inputs, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.classifier(self.features(x)).mean((2, 3)), dim=1)


class AlexNet(nn.Module):
    """AlexNet as published in 2012: groups of two, local response normalisation, flatten."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        norm = nn.LocalResponseNorm(5, alpha=1e-2, beta=0.75, k=2.0)
        self.features = nn.Sequential(
            *(nn.Conv2d(3, 96, 11, stride=4, padding=2), nn.ReLU(), norm, nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU(), norm, nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(256, 384, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(384, 384, 3, padding=1, groups=2), nn.ReLU()),
            *(nn.Conv2d(384, 256, 3, padding=1, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        )
        self.classifier = nn.Sequential(
            *(nn.Linear(256 * 2 * 3, 1024), nn.ReLU(), nn.Dropout()),
            *(nn.Linear(1024, 1024), nn.ReLU(), nn.Dropout()),
            nn.Linear(1024, classes),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(torch.flatten(self.features(x), 1))


class VGG16(nn.Module):
    """VGG-16 whose last map is flattened, 3 by 4 pixels here, before the dense layers."""

    WIDTHS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        layers, inputs = [], 3
        for width in self.WIDTHS:
            if width == 0:
                layers.append(nn.MaxPool2d(2))
                continue
            layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()]
            inputs = width
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            *(nn.Linear(512 * 3 * 4, 4096), nn.ReLU(), nn.Dropout()),
            *(nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout()),
            nn.Linear(4096, classes),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(torch.flatten(self.features(x), 1))


def classic(
    name: str,
    family: str,
    make: Callable[[], nn.Module],
    *,
    plain: bool = True,
) -> Network:
    return Network(name, family, make, PICTURE, plain)


NETWORKS = (
    classic("alexnet", "AlexNet", AlexNet),
    classic("vgg16", "VGG", VGG16),
    classic("googlenet", "GoogLeNet", GoogLeNet),
    classic("squeezenet1_1", "SqueezeNet", SqueezeNet),
    classic("shufflenet_v2_x1_0", "ShuffleNet", ShuffleNetV2, plain=False),
    classic("darknet19", "Darknet", Darknet19),
)
