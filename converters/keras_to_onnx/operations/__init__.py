"""Writers of the operations behind keras.ops, a family a file; importing this registers them."""

from converters.keras_to_onnx.operations import (
    activation,
    elementwise,
    image,
    index,
    matrix,
    neural,
    normalise,
    reduce,
    shape,
)

__all__ = [
    "activation",
    "elementwise",
    "image",
    "index",
    "matrix",
    "neural",
    "normalise",
    "reduce",
    "shape",
]
