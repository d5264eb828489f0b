"""The networks in PyTorch, written out from their papers with torchvision's parameter names.

`features` gives the map, calling gives the embedding (n, width); each has its classifier, whose
weights belong into a state_dict. Nothing of tlkeras is used here.
"""

import torch
from torch import nn
from torch.nn import functional as F

INCEPTIONS = [
    ("inception3a", 192, (64, 96, 128, 16, 32, 32)),
    ("inception3b", 256, (128, 128, 192, 32, 96, 64)),
    ("maxpool3", 3, None),
    ("inception4a", 480, (192, 96, 208, 16, 48, 64)),
    ("inception4b", 512, (160, 112, 224, 24, 64, 64)),
    ("inception4c", 512, (128, 128, 256, 24, 64, 64)),
    ("inception4d", 512, (112, 144, 288, 32, 64, 64)),
    ("inception4e", 528, (256, 160, 320, 32, 128, 128)),
    ("maxpool4", 2, None),
    ("inception5a", 832, (256, 160, 320, 32, 128, 128)),
    ("inception5b", 832, (384, 192, 384, 48, 128, 128)),
]


class Pooled(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.features(x).mean((2, 3))


class BasicBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(Pooled):
    def __init__(self, blocks: tuple[int, ...]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        inputs = 64
        for stage, (count, outputs) in enumerate(zip(blocks, (64, 128, 256, 512), strict=True), 1):
            layers = []
            for place in range(count):
                stride = 2 if place == 0 and stage > 1 else 1
                layers.append(BasicBlock(inputs, outputs, stride))
                inputs = outputs
            setattr(self, f"layer{stage}", nn.Sequential(*layers))
        self.fc = nn.Linear(512, 1000)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


class Fire(nn.Module):
    def __init__(self, inputs: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.squeeze(x))
        return torch.cat([F.relu(self.expand1x1(x)), F.relu(self.expand3x3(x))], 1)


class SqueezeNet(Pooled):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 3, 2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(64, 16, 64),
            Fire(128, 16, 64),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(128, 32, 128),
            Fire(256, 32, 128),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(256, 48, 192),
            Fire(384, 48, 192),
            Fire(384, 64, 256),
            Fire(512, 64, 256),
        )
        self.classifier = nn.Sequential(nn.Dropout(), nn.Conv2d(512, 1000, 1))


class Unit(nn.Module):
    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.bn(self.conv(x)))


class Inception(nn.Module):
    def __init__(self, inputs: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        one, three_in, three, five_in, five, pooled = channels
        self.branch1 = Unit(inputs, one, 1)
        self.branch2 = nn.Sequential(Unit(inputs, three_in, 1), Unit(three_in, three, 3))
        self.branch3 = nn.Sequential(Unit(inputs, five_in, 1), Unit(five_in, five, 3))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), Unit(inputs, pooled, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        branches = (self.branch1, self.branch2, self.branch3, self.branch4)
        return torch.cat([branch(x) for branch in branches], 1)


class Auxiliary(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv = Unit(inputs, 128, 1)
        self.fc1 = nn.Linear(2048, 1024)
        self.fc2 = nn.Linear(1024, 1000)


class GoogLeNet(Pooled):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = Unit(3, 64, 7, 2)
        self.maxpool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2 = Unit(64, 64, 1)
        self.conv3 = Unit(64, 192, 3)
        self.maxpool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        for name, number, channels in INCEPTIONS:
            pool = nn.MaxPool2d(number, 2, ceil_mode=True)
            setattr(self, name, Inception(number, channels) if channels else pool)
        self.aux1, self.aux2 = Auxiliary(512), Auxiliary(528)
        self.fc = nn.Linear(1024, 1000)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool2(self.conv3(self.conv2(self.maxpool1(self.conv1(x)))))
        for name, _, _ in INCEPTIONS:
            x = getattr(self, name)(x)
        return x


class ShuffleUnit(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        half = outputs // 2
        self.stride = stride
        self.branch1 = nn.Sequential()
        if stride > 1:
            self.branch1 = nn.Sequential(
                nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False),
                nn.BatchNorm2d(inputs),
                nn.Conv2d(inputs, half, 1, bias=False),
                nn.BatchNorm2d(half),
                nn.ReLU(),
            )
        self.branch2 = nn.Sequential(
            nn.Conv2d(inputs if stride > 1 else half, half, 1, bias=False),
            nn.BatchNorm2d(half),
            nn.ReLU(),
            nn.Conv2d(half, half, 3, stride, 1, groups=half, bias=False),
            nn.BatchNorm2d(half),
            nn.Conv2d(half, half, 1, bias=False),
            nn.BatchNorm2d(half),
            nn.ReLU(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.stride > 1:
            both = self.branch1(x), self.branch2(x)
        else:
            passed, worked = x.chunk(2, dim=1)
            both = passed, self.branch2(worked)
        n, c, h, w = both[0].shape
        return torch.cat(both, 1).view(n, 2, c, h, w).transpose(1, 2).reshape(n, 2 * c, h, w)


class ShuffleNet(Pooled):
    def __init__(self, channels: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(
            nn.Conv2d(3, 24, 3, 2, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU()
        )
        inputs = 24
        for stage, (count, outputs) in enumerate(zip((4, 8, 4), channels[:3], strict=True), 2):
            units = [ShuffleUnit(inputs, outputs, 2)]
            units += [ShuffleUnit(outputs, outputs, 1) for _ in range(count - 1)]
            setattr(self, f"stage{stage}", nn.Sequential(*units))
            inputs = outputs
        self.conv5 = nn.Sequential(
            nn.Conv2d(inputs, channels[3], 1, bias=False), nn.BatchNorm2d(channels[3]), nn.ReLU()
        )
        self.fc = nn.Linear(channels[3], 1000)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(self.conv1(x), 3, 2, 1)
        return self.conv5(self.stage4(self.stage3(self.stage2(x))))


class Darknet19(Pooled):
    """As in darknet19.cfg; every repository calls the parameters otherwise."""

    def __init__(self) -> None:
        super().__init__()
        stages = "32 M 64 M 128 64 128 M 256 128 256 M 512 256 512 256 512 M 1024 512 1024 512 1024"
        layers, inputs, wide = [], 3, True
        for word in stages.split():
            if word == "M":
                layers.append(nn.MaxPool2d(2, 2, ceil_mode=True))
                wide = True
                continue
            size, outputs = (3 if wide else 1), int(word)
            layers.append(nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False))
            layers += [nn.BatchNorm2d(outputs), nn.LeakyReLU(0.1)]
            inputs, wide = outputs, not wide
        self.body = nn.Sequential(*layers)
        self.last = nn.Conv2d(1024, 1000, 1)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)


NETWORKS = {
    "ResNet18": lambda: ResNet((2, 2, 2, 2)),
    "ResNet34": lambda: ResNet((3, 4, 6, 3)),
    "SqueezeNet1.1": SqueezeNet,
    "GoogLeNet": GoogLeNet,
    "ShuffleNetV2-0.5": lambda: ShuffleNet((48, 96, 192, 1024)),
    "ShuffleNetV2": lambda: ShuffleNet((116, 232, 464, 1024)),
    "ShuffleNetV2-1.5": lambda: ShuffleNet((176, 352, 704, 1024)),
    "ShuffleNetV2-2.0": lambda: ShuffleNet((244, 488, 976, 2048)),
    "Darknet19": Darknet19,
}


def randomised(name: str, seed: int = 0) -> nn.Module:
    """The network in evaluation mode, its weights and statistics of a trained one's size."""
    network = NETWORKS[name]()
    generator = torch.Generator().manual_seed(seed)

    def uniform(tensor: torch.Tensor, low: float, high: float) -> None:
        tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)

    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                uniform(module.weight, 0.6, 1.4)
                uniform(module.bias, -0.3, 0.3)
                uniform(module.running_mean, -0.3, 0.3)
                uniform(module.running_var, 0.6, 1.4)
            elif isinstance(module, (nn.Conv2d, nn.Linear)):
                fan_in = module.weight[0].numel()
                noise = torch.randn(module.weight.shape, generator=generator)
                module.weight.copy_(noise * (2 / fan_in) ** 0.5)
                if module.bias is not None:
                    uniform(module.bias, -0.3, 0.3)
    return network.eval()
