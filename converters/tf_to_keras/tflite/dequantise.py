"""Stored numbers → real numbers: float32 for all that stands for a real number.

int8, uint8, int16, int4 with a scale      (stored - zero_point) * scale
int32 with a scale (a bias)                stored * scale
float16, bfloat16, float64                 cast
other integers, booleans                   as they are
"""

import numpy as np

from converters.errors import UnsupportedError
from converters.tf_to_keras.tflite.network import Tensor
from converters.tf_to_keras.tflite.read import NUMPY_TYPES

QUANTISED_TYPES = {
    "INT4": (-8, 7),
    "INT8": (-128, 127),
    "UINT8": (0, 255),
    "INT16": (-32768, 32767),
}


def real_values(tensor: Tensor) -> np.ndarray:
    """The constant's values in its own shape: float32 where they stand for real numbers."""
    shape = tuple(size or 0 for size in tensor.shape)
    stored = _stored(tensor).reshape(shape)
    if stored.dtype.kind == "f":
        with np.errstate(over="ignore", invalid="ignore"):
            return stored.astype(np.float32)
    if tensor.quantisation is None:
        return stored
    scales, zero_points = tensor.quantisation.scales, tensor.quantisation.zero_points
    along = [1] * stored.ndim
    if len(scales) > 1:
        along[tensor.quantisation.axis] = len(scales)
    else:
        along = [1]
    # float64 between: an int32 bias has more digits than float32 holds.
    real = (stored - zero_points.reshape(along).astype(np.float64)) * scales.reshape(along)
    with np.errstate(over="ignore"):  # a damaged scale; infinite weights fail the comparison
        return real.astype(np.float32).reshape(shape)


def real_range(tensor: Tensor) -> tuple[float, float] | None:
    """Smallest and largest real number that a quantised activation can hold, if it is one."""
    if tensor.quantisation is None or tensor.type not in QUANTISED_TYPES:
        return None
    if len(tensor.quantisation.scales) != 1:
        return None
    scale, zero = float(tensor.quantisation.scales[0]), int(tensor.quantisation.zero_points[0])
    low, high = QUANTISED_TYPES[tensor.type]
    return (low - zero) * scale, (high - zero) * scale


def real_dtype(tensor: Tensor) -> np.dtype:
    """NumPy's type of the tensor once dequantised."""
    if tensor.quantised or tensor.type in ("FLOAT16", "FLOAT64", "BFLOAT16", "COMPLEX64"):
        return np.dtype(np.float32)
    if tensor.type not in NUMPY_TYPES:
        raise UnsupportedError(
            f"Expected tensors of numbers, got '{tensor.name}' of type {tensor.type}. Text, "
            "variables and packed types have no place in a Keras model; convert the network "
            "without them."
        )
    return np.dtype(NUMPY_TYPES[tensor.type])


def _stored(tensor: Tensor) -> np.ndarray:
    assert tensor.raw is not None
    if tensor.type == "INT4":
        packed = np.frombuffer(tensor.raw, np.uint8)
        nibbles = np.stack([packed & 15, packed >> 4], axis=-1).reshape(-1)
        signed = (nibbles.astype(np.int8) ^ 8) - 8
        return signed[: int(np.prod([size or 0 for size in tensor.shape]))]
    if tensor.type == "BFLOAT16":
        return (np.frombuffer(tensor.raw, "<u2").astype(np.uint32) << 16).view(np.float32)
    real_dtype(tensor)  # raises for what has no numbers
    return np.frombuffer(tensor.raw, NUMPY_TYPES.get(tensor.type, "<c8"))
