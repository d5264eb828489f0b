"""A Backbone is data: which network, at which size, with which preprocessing and weights.

Backbone ── build ──▶ keras.Model
                      image (n, any, any, 3) RGB in [0, 255] → embedding (n, width) float32
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Preprocessing = Literal["none", "tf", "torch", "caffe"]


@dataclass(frozen=True)
class Published:
    """Figures of the whole classifier as its source gives them; None where it gives none."""

    size_mb: float | None = None
    top1: float | None = None  # per cent, ImageNet validation set
    top5: float | None = None
    parameters: int | None = None  # with the classifier on top, rounded as published
    depth: int | None = None
    source: str = ""
    date: str = ""  # of the source, ISO; empty where the source states none


@dataclass(frozen=True)
class Backbone:
    """One pretrained network as data; nothing is loaded before `build`.

    Example::

        spec = find("MobileNetV2-0.35")
        model = build(spec, "imagenet")         # (n, any, any, 3) in [0, 255] → (n, 1280)
        small = build(dataclasses.replace(spec, size_px=160), weights=None, seed=3)
        # Weights of other origin, trained on otherwise scaled pixels:
        build(dataclasses.replace(find("ResNet18"), preprocessing="tf"), "mine.pth")
    """

    name: str
    application: str  # of keras.applications, "TinyResNet", a classic, or "" for a user's model
    size_px: int
    width: int  # of the embedding
    preprocessing: Preprocessing
    arguments: Mapping[str, float | bool] = field(default_factory=dict, hash=False)
    weights: tuple[str, ...] = ()
    licence: str = ""  # of the pretrained weights; empty where no statement was found
    parameters: int = 0  # of the embedding network, without any classifier
    imagenet_px: tuple[int, ...] = ()  # sizes that ImageNet weights were trained at
    published: Published | None = None

    @property
    def default_weights(self) -> str | None:
        """Name of the weights that `build` takes unless told otherwise."""
        return self.weights[0] if self.weights else None
