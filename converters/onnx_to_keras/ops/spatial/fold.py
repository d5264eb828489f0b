"""Col2Im (torch.nn.Fold): overlapping blocks laid back into a picture and added up."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from keras import KerasTensor
from keras import ops as K

from converters.onnx_to_keras.ops import Operand
from converters.onnx_to_keras.ops.spatial.conv_transpose import spread
from converters.onnx_to_keras.registry import Constant, op

if TYPE_CHECKING:
    from converters.onnx_to_keras.build import Build


@op("Col2Im", order="fixed")
def col2im(
    build: Build,
    x: KerasTensor,
    image_shape: Operand,
    block_shape: Operand,
    *,
    strides: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
) -> KerasTensor:
    """x (n, c * block, blocks) → (n, c, *image)."""
    if not isinstance(image_shape, Constant) or not isinstance(block_shape, Constant):
        raise build.fail("an image and blocks of fixed sizes", "Export with fixed sizes.")
    image = [int(n) for n in image_shape.value.ravel()]
    block = [int(n) for n in block_shape.value.ravel()]
    rank = len(image)
    steps, gaps = tuple(strides or (1,) * rank), tuple(dilations or (1,) * rank)
    edges = list(pads or (0,) * (2 * rank))
    padded = [n + edges[a] + edges[rank + a] for a, n in enumerate(image)]
    counts = [
        (n - gap * (k - 1) - 1) // step + 1
        for n, gap, k, step in zip(padded, gaps, block, steps, strict=True)
    ]
    channels = x.shape[1] // int(np.prod(block))
    cells = K.reshape(x, (-1, channels, int(np.prod(block)), *counts))
    pieces = []
    for place, corner in enumerate(product(*(range(k) for k in block))):
        piece = spread(K.moveaxis(cells[:, :, place], 1, -1), steps)
        before = [gap * k for gap, k in zip(gaps, corner, strict=True)]
        sizes = zip(padded, before, piece.shape[1:-1], strict=True)
        after = [whole - b - n for whole, b, n in sizes]
        pieces.append(K.pad(piece, [(0, 0), *zip(before, after, strict=True), (0, 0)]))
    total = reduce(K.add, pieces)
    inside = [slice(edges[a], edges[a] + n) for a, n in enumerate(image)]
    return K.moveaxis(total[(slice(None), *inside)], -1, 1)
