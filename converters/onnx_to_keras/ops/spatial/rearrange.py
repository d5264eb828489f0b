"""Channels and space exchanged (pixel shuffle), channels shuffled, and LRN over neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from keras import KerasTensor
from keras import ops as K

from converters.onnx_to_keras.registry import op

if TYPE_CHECKING:
    from converters.onnx_to_keras.build import Build


@op("DepthToSpace", order="spatial")
def depth_to_space(
    build: Build, x: KerasTensor, *, blocksize: int, mode: Literal["DCR", "CRD"] = "DCR"
) -> KerasTensor:
    """x (n, h, w, c * b * b) → (n, h * b, w * b, c); CRD is PyTorch's pixel shuffle."""
    _, height, width, depth = x.shape
    b, c = blocksize, depth // blocksize**2
    inner, turn = (
        ((b, b, c), (0, 1, 3, 2, 4, 5)) if mode == "DCR" else ((c, b, b), (0, 1, 4, 2, 5, 3))
    )
    cells = K.transpose(K.reshape(x, (-1, height, width, *inner)), turn)
    return K.reshape(cells, (-1, height * b, width * b, c))


@op("SpaceToDepth", order="spatial")
def space_to_depth(build: Build, x: KerasTensor, *, blocksize: int) -> KerasTensor:
    """x (n, h * b, w * b, c) → (n, h, w, b * b * c)."""
    _, height, width, c = x.shape
    b = blocksize
    cells = K.reshape(x, (-1, height // b, b, width // b, b, c))
    return K.reshape(
        K.transpose(cells, (0, 1, 3, 2, 4, 5)), (-1, height // b, width // b, b * b * c)
    )


@op("LRN", order="spatial")
def local_response_normalization(
    build: Build,
    x: KerasTensor,
    *,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    bias: float = 1.0,
) -> KerasTensor:
    """x (n, *space, c) over the root of the squares of `size` neighbouring channels.

    Krizhevsky, Sutskever and Hinton, "ImageNet classification", 2012, section 3.3.
    """
    channels, before = x.shape[-1], (size - 1) // 2
    edges = [(0, 0)] * (len(x.shape) - 1) + [(before, size - 1 - before)]
    squares = K.pad(K.square(x), edges)
    total = squares[..., :channels]
    for first in range(1, size):
        total = K.add(total, squares[..., first : first + channels])
    return K.divide(x, K.power(K.add(K.multiply(total, alpha / size), bias), beta))


@op("ChannelShuffle", order="spatial")
def channel_shuffle(build: Build, x: KerasTensor, *, groups: int) -> KerasTensor:
    """Channels (g, c/g) → (c/g, g), which fuse/shuffle.py finds.

    Zhang and others, "ShuffleNet", 2017, section 3.1.
    """
    *outer, channels = ((-1 if size is None else size) for size in x.shape)
    cells = K.reshape(x, (*outer, groups, channels // groups))
    return K.reshape(K.swapaxes(cells, -1, -2), (*outer, channels))
