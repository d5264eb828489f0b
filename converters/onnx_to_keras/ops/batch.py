"""What follows the batch and is nothing else: numbers that only running can tell."""

from __future__ import annotations

import keras
import numpy as np

from converters.onnx_to_keras.build import Build
from converters.onnx_to_keras.registry import op


@op("BatchRange", order="fixed")
def batch_range(build: Build, *, start: int, step: int) -> keras.KerasTensor:
    """start, start + step, … one number a row of the batch."""
    dtype = build.graph.values[build.node.output].dtype
    ones = keras.ops.add(build.batch_zeros(1, dtype.name), np.ones((), dtype))
    places = keras.ops.subtract(keras.ops.cumsum(ones), np.ones((), dtype))
    return keras.ops.add(
        keras.ops.multiply(places, np.asarray(step, dtype)), np.asarray(start, dtype)
    )
