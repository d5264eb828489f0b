"""A Backbone is data: which network, at which size, with which preprocessing and weights.

Backbone ── build ──▶ keras.Model
                      image (n, any, any, 3) RGB in [0, 255] → embedding (n, width) float32
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from tlkeras.errors import BackboneError

Mode = Literal["none", "unit", "tf", "torch", "caffe"]
MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass(frozen=True)
class Scaling:
    """Preprocessing that has no name: (pixels in [0, 255] - mean) / deviation, each channel.

    Both are in the order in which the network takes the channels; with `bgr` blue comes first.

    Example::

        Scaling(mean=(123.7, 116.3, 103.5), deviation=(58.4, 57.1, 57.4))
    """

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    bgr: bool = False

    def __str__(self) -> str:
        mean, deviation = (",".join(f"{v:g}" for v in row) for row in (self.mean, self.deviation))
        return f"{mean}/{deviation}{' BGR' if self.bgr else ''}"


Preprocessing = Mode | Scaling
# What a user may write for it: a mode, or mean and deviation in pixel units.
Given = Preprocessing | tuple[float | Sequence[float], float | Sequence[float]]


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
    keras_file: str = ""  # under which Keras keeps the ImageNet weights that it has fetched
    labels: tuple[str, ...] = ()  # what an imported network's own classifier told apart
    notes: tuple[str, ...] = ()  # what was found and decided when it was imported

    @property
    def default_weights(self) -> str | None:
        """Name of the weights that `build` takes unless told otherwise."""
        return self.weights[0] if self.weights else None


def to_preprocessing(given: Given | Mapping[str, object]) -> Preprocessing:
    """The mode of that name, or the Scaling by a mean and a deviation in pixel units.

    Raises:
        BackboneError: neither, or a deviation that is not above 0.

    >>> to_preprocessing((127.5, 127.5))
    Scaling(mean=(127.5, 127.5, 127.5), deviation=(127.5, 127.5, 127.5), bgr=False)
    """
    if isinstance(given, Scaling):
        return given
    for mode in MODES:
        if given == mode:
            return mode
    if isinstance(given, Mapping):  # as a run folder keeps it
        return Scaling(_channels(given["mean"]), _channels(given["deviation"]), bool(given["bgr"]))
    if isinstance(given, (tuple, list)) and len(given) == 2:
        scaling = Scaling(_channels(given[0]), _channels(given[1]))
        if min(scaling.deviation) > 0:
            return scaling
    close = difflib.get_close_matches(str(given).lower(), MODES, n=1)
    raise BackboneError(
        f"Expected a preprocessing of {', '.join(MODES)}, or (mean, deviation) of pixels in "
        f"[0, 255] with a number or one a channel, got {given!r}. "
        + (f"Did you mean {close[0]!r}?" if close else "'none' leaves the pixels as they are.")
    )


def _channels(value: object) -> tuple[float, float, float]:
    values = [value] * 3 if isinstance(value, (int, float)) else value
    if isinstance(values, Sequence) and not isinstance(values, str) and len(values) == 3:
        numbers = [float(number) for number in values]
        if all(map(math.isfinite, numbers)):
            return numbers[0], numbers[1], numbers[2]
    raise BackboneError(
        f"Expected a number for all channels or one for each of 3, got {value!r}. Give mean and "
        "deviation of pixels in [0, 255], such as (127.5, 127.5)."
    )
