"""Ops over pixels, samples or voxels: input 0 and all outputs are channels-last."""

from converters.onnx_to_keras.ops.spatial import (  # noqa: F401 - each registers its operators
    conv,
    conv_transpose,
    fold,
    pool,
    pool_average,
    rearrange,
    resize,
    sample,
)
