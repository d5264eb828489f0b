"""Torch networks that belong to the real weights in shared data, and small ones of our own."""

import torch
from torch import nn
from torch.nn import functional


class MobileNetV1(nn.Module):
    """MobileNet 0.25 at 224 px with BatchNorm folded; pixels in [-1, 1] → 1000 logits.

    Stride-2 convolutions pad below and right only, as TensorFlow does.
    """

    STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
    WIDTHS = (16, 32, 32, 64, 64, 128, 128, 128, 128, 128, 128, 256, 256)

    def __init__(self) -> None:
        super().__init__()
        ins = (8, *self.WIDTHS[:-1])
        self.conv1 = nn.Conv2d(3, 8, 3, 2)
        self.dw = nn.ModuleList(
            nn.Conv2d(width, width, 3, stride, padding=int(stride == 1), groups=width)
            for width, stride in zip(ins, self.STRIDES, strict=True)
        )
        self.pw = nn.ModuleList(
            nn.Conv2d(width, wider, 1) for width, wider in zip(ins, self.WIDTHS, strict=True)
        )
        self.fc = nn.Linear(256, 1000)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        x = functional.relu6(self.conv1(functional.pad(pixels, (0, 1, 0, 1))))
        for depthwise, pointwise in zip(self.dw, self.pw, strict=True):
            if depthwise.stride == (2, 2):
                x = functional.pad(x, (0, 1, 0, 1))
            x = functional.relu6(pointwise(functional.relu6(depthwise(x))))
        return self.fc(x.mean((2, 3)))


def _conv_bn(ins: int, outs: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(ins, outs, 3, stride, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outs), nn.ReLU())


def _separable_bn(ins: int, outs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(ins, ins, 3, stride, 1, groups=ins, bias=False),
        nn.BatchNorm2d(ins),
        nn.ReLU(),
        nn.Conv2d(ins, outs, 1, bias=False),
        nn.BatchNorm2d(outs),
        nn.ReLU(),
    )


def _separable(ins: int, outs: int, stride: int = 1) -> nn.Sequential:
    depthwise = nn.Conv2d(ins, ins, 3, stride, 1, groups=ins)
    return nn.Sequential(depthwise, nn.ReLU(), nn.Conv2d(ins, outs, 1))


class _ConvNorm(nn.Module):
    def __init__(self, ins: int, outs: int, size: int, dilation: int = 1, relu: bool = False):
        super().__init__()
        pad = dilation * (size // 2)
        self.conv = nn.Conv2d(ins, outs, size, padding=pad, dilation=dilation, bias=False)
        self.bn = nn.BatchNorm2d(outs)
        self.relu = relu

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.bn(self.conv(x))
        return x.relu() if self.relu else x


class _ReceptiveFields(nn.Module):
    """Three branches that look ever wider, joined and added to a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        narrow = width // 8
        wide, middle = 2 * narrow, narrow // 2 * 3

        def branch(*widths: int, dilation: int) -> nn.Sequential:
            first = _ConvNorm(width, narrow, 1)
            pairs = zip((narrow, *widths), (*widths, wide), strict=True)
            inner = [_ConvNorm(i, o, 3, relu=True) for i, o in pairs]
            last = _ConvNorm(wide, wide, 3, dilation)
            return nn.Sequential(first, *inner, last)

        self.branch0 = branch(dilation=2)
        self.branch1 = branch(dilation=3)
        self.branch2 = branch(middle, dilation=5)
        self.ConvLinear = _ConvNorm(6 * narrow, width, 1)
        self.shortcut = _ConvNorm(width, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wide = torch.cat([self.branch0(x), self.branch1(x), self.branch2(x)], 1)
        return (self.ConvLinear(wide) + self.shortcut(x)).relu()


class UltraFace(nn.Module):
    """Linzaer's face detector for 320x240 pictures: scores (n, 4420, 2), boxes (n, 4420, 4).

    Boxes are corners as shares of the picture, decoded from priors with variances 0.1 and 0.2.
    """

    BOXES_PX = ((10, 16, 24), (32, 48), (64, 96), (128, 192, 256))
    MAPS = ((40, 30), (20, 15), (10, 8), (5, 4))
    SIZE_PX = (320, 240)
    TAPS = (7, 10, 12)

    def __init__(self, receptive_fields: bool) -> None:
        super().__init__()
        plan = [(16, 32, 1), (32, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1), (64, 64, 1)]
        middle = _ReceptiveFields(64) if receptive_fields else _separable_bn(64, 64, 1)
        rest = [(64, 128, 2), (128, 128, 1), (128, 128, 1), (128, 256, 2), (256, 256, 1)]
        self.base_net = nn.Sequential(
            _conv_bn(3, 16, 2),
            *(_separable_bn(*row) for row in plan),
            middle,
            *(_separable_bn(*row) for row in rest),
        )
        narrow = nn.Conv2d(256, 64, 1)
        extra = nn.Sequential(narrow, nn.ReLU(), _separable(64, 256, stride=2), nn.ReLU())
        self.extras = nn.ModuleList([extra])
        self.classification_headers = self._headers(2)
        self.regression_headers = self._headers(4)
        self.register_buffer("priors", self._priors(), persistent=False)

    def _headers(self, numbers: int) -> nn.ModuleList:
        small = [
            _separable(width, len(boxes) * numbers)
            for width, boxes in zip((64, 128, 256), self.BOXES_PX[:3], strict=True)
        ]
        return nn.ModuleList([*small, nn.Conv2d(256, 3 * numbers, 3, padding=1)])

    def _priors(self) -> torch.Tensor:
        width, height = self.SIZE_PX
        rows = [
            ((x + 0.5) / columns, (y + 0.5) / lines, size / width, size / height)
            for (columns, lines), sizes in zip(self.MAPS, self.BOXES_PX, strict=True)
            for y in range(lines)
            for x in range(columns)
            for size in sizes
        ]
        return torch.tensor(rows).clamp(0, 1)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        taps, x = [], pixels
        for number, block in enumerate(self.base_net):
            x = block(x)
            if number in self.TAPS:
                taps.append(x)
        taps.append(self.extras[0](x))
        scores = self._read(self.classification_headers, taps, 2).softmax(2)
        places = self._read(self.regression_headers, taps, 4)
        priors: torch.Tensor = self.priors
        centre = places[..., :2] * 0.1 * priors[:, 2:] + priors[:, :2]
        size = torch.exp(places[..., 2:] * 0.2) * priors[:, 2:]
        return scores, torch.cat([centre - size / 2, centre + size / 2], 2)

    @staticmethod
    def _read(headers: nn.ModuleList, taps: list[torch.Tensor], numbers: int) -> torch.Tensor:
        parts = [head(tap).permute(0, 2, 3, 1) for head, tap in zip(headers, taps, strict=True)]
        return torch.cat([part.reshape(part.shape[0], -1, numbers) for part in parts], 1)


class Residual(nn.Module):
    """A few layers of each kind that a training network has, for pictures of 12 x 20."""

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(8, eps=1e-3, momentum=0.2)
        self.block = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=4), nn.BatchNorm2d(8))
        self.depthwise = nn.Conv2d(8, 16, 3, padding=1, groups=8, bias=False)
        self.up = nn.ConvTranspose2d(16, 6, 2, stride=2)
        self.scale = nn.Parameter(torch.ones(1, 6, 1, 1))
        self.register_buffer("offset", torch.linspace(-1, 1, 6).reshape(6, 1, 1))
        self.dropout = nn.Dropout(0.5)
        self.hidden = nn.Linear(6 * 6 * 10, 12)
        self.norm = nn.LayerNorm(12)
        self.head = nn.Linear(12, classes)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        x = self.bn1(self.stem(pixels)).relu()
        x = x + self.block(x)
        x = self.up(self.depthwise(x)) * self.scale + self.offset
        x = functional.max_pool2d(x, 2).flatten(1)
        x = functional.gelu(self.norm(self.hidden(self.dropout(x))))
        return self.head(x)


def with_random_weights(module: nn.Module, seed: int = 0) -> nn.Module:
    """Every number drawn, statistics too, so that no two tensors are alike; in inference mode."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                numbers = torch.randn(value.shape, generator=draw)
                positive = name.endswith("running_var")
                value.copy_(numbers.abs() + 0.5 if positive else 0.2 * numbers + (value == 1))
    return module.eval()
