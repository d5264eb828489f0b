"""Pictures: resizing, cropping, patches and colour."""

from typing import Any

import numpy as np

from converters.keras_to_onnx.graph import Graph
from converters.keras_to_onnx.parts.movement import resized
from converters.keras_to_onnx.parts.reduction import squeezed, unsqueezed
from converters.keras_to_onnx.parts.windows import along_channels, convolve
from converters.keras_to_onnx.registry import operation
from converters.keras_to_onnx.value import Spec, UnwrittenError, Value


@operation("Resize")
def resize(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Resize; cropping or padding to the aspect ratio has no writer."""
    if op.crop_to_aspect_ratio or op.pad_to_aspect_ratio:
        raise UnwrittenError("expected a resize that stretches, came one that keeps the ratio")
    if out.dtype != "float32":
        raise UnwrittenError(f"expected floats to resize, came {out.dtype}")
    single = x.rank == 3
    batch = unsqueezed(g, x, [0]) if single else x
    spec = Spec((1, *out.shape), out.dtype) if single else out
    y = resized(g, batch, spec, op.interpolation, op.data_format, antialias=op.antialias)
    return squeezed(g, y, [0]) if single else y


@operation("RGBToGrayscale")
def grey(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """The weighted sum of the colours."""
    weights = np.array([0.2989, 0.5870, 0.1140], np.float32)
    return along_channels(g, x, weights[None], out, op.data_format)


@operation("ExtractPatches")
def extract_patches(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """A Conv that copies: each output channel is one place of the window and one channel."""
    if len(op.size) != 2 or x.rank != 4:
        raise UnwrittenError("expected patches of pictures (n, h, w, c)")
    channels = x.shape[-1 if op.data_format == "channels_last" else 1]
    if channels is None:
        raise UnwrittenError(f"expected known channels, came {x.shape}")
    high, wide = op.size
    places = high * wide * channels
    kernel = np.eye(places, dtype=np.float32).reshape(high, wide, channels, places)
    weight = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
    settings = _Window(op)
    return convolve(g, x, weight, None, out, kernel=(high, wide), settings=settings)


class _Window:
    """The settings of a convolution that takes the same patches."""

    def __init__(self, op: Any) -> None:
        self.strides = op.strides if op.strides is not None else op.size
        self.dilation_rate = op.dilation_rate
        self.padding = op.padding
        self.data_format = op.data_format
