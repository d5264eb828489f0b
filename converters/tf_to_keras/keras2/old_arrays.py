"""Stored arrays of Keras 1 and of CuDNN layers → the arrays that the plain layer keeps.

The conversions are those that Keras 2 made when it loaded such files.
"""

import keras
import numpy as np

from converters.tf_to_keras.keras2.translate.recurrent import from_cudnn

# Keras 1 kept three arrays a gate; the gates' places in today's order.
_LSTM_GATES = (0, 2, 1, 3)  # was input, candidate, forget, output
_GRU_GATES = (0, 1, 2)


def modern(
    layer: keras.layers.Layer, arrays: list[np.ndarray], keras_version: str
) -> list[np.ndarray]:
    """The arrays as a layer of Keras 2.19 would have written them."""
    if isinstance(layer, keras.layers.TimeDistributed):
        return modern(layer.layer, arrays, keras_version)
    if isinstance(layer, keras.layers.Bidirectional):
        half = len(arrays) // 2
        forward = modern(layer.forward_layer, arrays[:half], keras_version)
        return forward + modern(layer.backward_layer, arrays[half:], keras_version)
    if keras_version.startswith("1"):
        arrays = _from_keras1(layer, arrays)
    return _from_cudnn(layer, arrays)


def _from_keras1(layer: keras.layers.Layer, arrays: list[np.ndarray]) -> list[np.ndarray]:
    if isinstance(layer, keras.layers.LSTM) and len(arrays) == 12:
        return _gates(arrays, _LSTM_GATES)
    if isinstance(layer, keras.layers.GRU) and len(arrays) == 9:
        return _gates(arrays, _GRU_GATES)
    if isinstance(layer, keras.layers.Conv1D) and arrays and arrays[0].ndim == 4:
        kernel = arrays[0]
        if kernel.shape[:2] != (layer.kernel_size[0], 1):  # before Keras 1.1
            kernel = kernel.transpose(2, 3, 1, 0)
        return [kernel[:, 0], *arrays[1:]]
    if isinstance(layer, keras.layers.Conv2DTranspose) and arrays:
        return [arrays[0].transpose(0, 1, 3, 2), *arrays[1:]]
    return arrays


def _gates(arrays: list[np.ndarray], places: tuple[int, ...]) -> list[np.ndarray]:
    return [
        np.concatenate([arrays[3 * gate + kind] for gate in places], axis=-1) for kind in range(3)
    ]


def _from_cudnn(layer: keras.layers.Layer, arrays: list[np.ndarray]) -> list[np.ndarray]:
    if len(arrays) != 3 or not isinstance(layer, keras.layers.LSTM | keras.layers.GRU):
        return arrays
    gates = 4 if isinstance(layer, keras.layers.LSTM) else 3
    twice_the_biases = (2 * gates * layer.units,)
    return from_cudnn(arrays) if arrays[2].shape == twice_the_biases else arrays
