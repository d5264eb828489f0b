"""Networks whose answer is a map: segmentation, detection, enlarging, and an autoencoder."""

# ruff: noqa: D102 - a forward pass is what its class says

import torch
from torch import nn
from torch.nn import functional

from .network import Input, Network

PICTURE = (Input((3, 64, 96)),)


class Twice(nn.Sequential):
    """Two convolutions of a U-Net, with a norm of the caller's choice and PReLU."""

    def __init__(self, inputs: int, outputs: int, norm: type[nn.Module] | None) -> None:
        def make_norm() -> nn.Module:
            return norm(outputs, affine=True) if norm else nn.GroupNorm(4, outputs)

        super().__init__(
            *(nn.Conv2d(inputs, outputs, 3, padding=1), make_norm(), nn.PReLU(outputs)),
            *(nn.Conv2d(outputs, outputs, 3, padding=1), make_norm(), nn.PReLU()),
        )


class UNet(nn.Module):
    """U-Net: one way up by transposed convolution, one by bilinear enlarging."""

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.down1 = Twice(3, 16, nn.InstanceNorm2d)
        self.down2 = Twice(16, 32, nn.BatchNorm2d)
        self.down3 = Twice(32, 64, None)
        self.pool = nn.MaxPool2d(2)
        self.up2 = nn.ConvTranspose2d(64, 32, 3, stride=2, padding=1, output_padding=1)
        self.merge2 = Twice(64, 32, None)
        self.up1 = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.merge1 = Twice(48, 16, nn.InstanceNorm2d)
        self.head = nn.Conv2d(16, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        fine = self.down1(x)
        middle = self.down2(self.pool(fine))
        coarse = self.down3(self.pool(middle))
        middle = self.merge2(torch.cat([self.up2(coarse), middle], 1))
        return self.head(self.merge1(torch.cat([self.up1(middle), fine], 1)))


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Darknet's convolution."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.1),
    )


class Yolo(nn.Module):
    """A YOLO-style detector: SPP, a coarse and a fine head of 5-D maps, decoded boxes."""

    ANCHORS, CLASSES = 3, 4

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, 16), conv(16, 32, stride=2), conv(32, 64, stride=2))
        self.deep = nn.Sequential(conv(64, 128, stride=2), conv(128, 64, 1))
        self.after_pools = conv(256, 64, 1)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.fine = conv(128, 64)
        width = self.ANCHORS * (5 + self.CLASSES)
        self.coarse_head = nn.Conv2d(64, width, 1)
        self.fine_head = nn.Conv2d(64, width, 1)
        self.register_buffer("anchors", torch.rand(1, self.ANCHORS, 1, 1, 2) + 0.5)

    def decode(self, x: torch.Tensor) -> torch.Tensor:
        """(N, A·(5+C), h, w) → (N, A·h·w, 5+C): centres in cells, sizes by anchors, scores."""
        batch, _, height, width = x.shape
        x = x.view(batch, self.ANCHORS, 5 + self.CLASSES, height, width).permute(0, 1, 3, 4, 2)
        rows, columns = torch.meshgrid(
            torch.arange(height, dtype=x.dtype), torch.arange(width, dtype=x.dtype), indexing="ij"
        )
        centre = torch.sigmoid(x[..., :2]) * 2 - 0.5 + torch.stack([columns, rows], -1)
        size = (torch.sigmoid(x[..., 2:4]) * 2) ** 2 * self.anchors
        boxes = torch.cat([centre, size, torch.sigmoid(x[..., 4:])], -1)
        return boxes.reshape(batch, -1, 5 + self.CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        early = self.stem(x)
        late = self.deep(early)
        pools = [functional.max_pool2d(late, size, 1, size // 2) for size in (5, 9, 13)]
        late = self.after_pools(torch.cat([late, *pools], 1))
        fine = self.fine(torch.cat([self.up(late), early], 1))
        return torch.cat(
            [self.decode(self.coarse_head(late)), self.decode(self.fine_head(fine))], 1
        )


class DeepLab(nn.Module):
    """Atrous pyramid pooling with an image-wide branch, enlarged to the picture's size."""

    def __init__(self, classes: int = 7) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, 24, stride=2), conv(24, 48, stride=2))
        self.rates = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(48, 24, 3, padding=rate, dilation=rate, bias=False),
                nn.BatchNorm2d(24),
                nn.ReLU(),
            )
            for rate in (1, 2, 4)
        )
        self.wide = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(48, 24, 1), nn.ReLU())
        self.join = conv(96, 32, 1)
        self.head = nn.Conv2d(32, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.stem(x)
        size = y.shape[2:]
        wide = functional.interpolate(self.wide(y), size, mode="bilinear", align_corners=False)
        y = self.head(self.join(torch.cat([*(rate(y) for rate in self.rates), wide], 1)))
        return functional.interpolate(y, x.shape[2:], mode="bilinear", align_corners=True)


class Espcn(nn.Module):
    """Super-resolution by pixel shuffle (Shi et al. 2016), three times as large."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 32, 5, padding=2)
        self.second = nn.Conv2d(32, 24, 3, padding=1, padding_mode="reflect")
        self.third = nn.Conv2d(24, 27, 3, padding=1)
        self.shuffle = nn.PixelShuffle(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.shuffle(self.third(torch.tanh(self.second(torch.tanh(self.first(x))))))


class Autoencoder(nn.Module):
    """A map flattened into a code and unfolded again: both orders of axes matter."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(conv(3, 16, stride=4), conv(16, 24, stride=4))
        self.squeeze = nn.Linear(24 * 4 * 6, 32)
        self.decode = nn.Linear(32, 24 * 4 * 6)
        self.decoder = nn.Sequential(
            *(nn.ConvTranspose2d(24, 16, 4, stride=4, groups=2), nn.ELU()),
            nn.ConvTranspose2d(16, 3, 6, stride=4, padding=1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        code = self.squeeze(torch.flatten(self.encoder(x), 1))
        maps = functional.softplus(self.decode(code)).view(-1, 24, 4, 6)
        return torch.sigmoid(self.decoder(maps))


NETWORKS = (
    Network("unet", "U-Net", UNet, PICTURE, plain=True),
    Network("yolo_spp", "YOLO", Yolo, PICTURE),
    Network("deeplab", "DeepLab", DeepLab, PICTURE, plain=True),
    Network("espcn", "ESPCN", Espcn, (Input((3, 20, 28)),)),
    Network("autoencoder", "Autoencoder", Autoencoder, PICTURE),
)
