"""Writers of Keras layers, a family a file; importing this registers them."""

from converters.keras_to_onnx.layers import (
    attention,
    conv,
    dense,
    merge,
    norm,
    pool,
    preprocess,
    recurrent,
    shape,
    weightless,
)

__all__ = [
    "attention",
    "conv",
    "dense",
    "merge",
    "norm",
    "pool",
    "preprocess",
    "recurrent",
    "shape",
    "weightless",
]
