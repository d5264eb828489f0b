"""Keras variables in torch's axis orders, by kind of layer; the reverse of what an import does."""

from typing import TYPE_CHECKING

import numpy as np

from converters.nested import innermost

if TYPE_CHECKING:
    import keras


def to_torch(
    layer: "keras.Layer", variable: "keras.Variable", shape: tuple[int, ...], model: "keras.Model"
) -> np.ndarray | None:
    """A variable's numbers in the shape of a torch tensor; None where they do not fit."""
    value = np.asarray(variable)
    if value.size != int(np.prod(shape, dtype=int)):
        return None
    turned = _turned(layer, variable.name, value, model)
    plain = tuple(size for size in turned.shape if size != 1)
    if plain != tuple(size for size in shape if size != 1) and not _regroups(layer):
        return None
    return turned.reshape(shape)


def _turned(layer: "keras.Layer", name: str, value: np.ndarray, model: "keras.Model") -> np.ndarray:
    kind = type(layer).__name__
    if kind.startswith("Depthwise") and value.ndim > 2:
        # (k…, channels, multiplier) → (channels · multiplier, 1, k…)
        rank = value.ndim - 2
        moved = value.transpose(rank, rank + 1, *range(rank))
        return moved.reshape(-1, 1, *value.shape[:rank])
    if name == "kernel" and kind.startswith("Conv"):
        # (k…, in, out) → (out, in, k…); transposed ones have (k…, out, in) → (in, out, k…)
        rank = value.ndim - 2
        return value.transpose(rank + 1, rank, *range(rank))
    if name == "kernel" and kind == "Dense":
        return _rows_channels_first(layer, value, model).T
    if name in {"kernel", "recurrent_kernel"} and value.ndim == 2:
        return value.T
    if kind == "Embedding" and value.shape[0] == 1:
        return value[0]
    return value


def _regroups(layer: "keras.Layer") -> bool:
    """Layers whose variable may be any shape in torch: a parameter kept as an Embedding's row."""
    return type(layer).__name__ == "Embedding" and layer.input_dim == 1


def _rows_channels_first(
    layer: "keras.Layer", kernel: np.ndarray, model: "keras.Model"
) -> np.ndarray:
    """The rows of a Dense after a flatten, in the order in which torch flattens a picture."""
    shape = _flattened_shape(layer)
    if shape is None or int(np.prod(shape)) != len(kernel):
        return kernel
    split = kernel.reshape(*shape, kernel.shape[1])
    rank = len(shape)
    return split.transpose(rank - 1, *range(rank - 1), rank).reshape(kernel.shape)


def _flattened_shape(layer: "keras.Layer") -> tuple[int, ...] | None:
    """(h, w, channels) of what is flattened right before a layer; None where nothing is."""
    tensor = innermost(layer.input)
    while True:
        operation = tensor._keras_history.operation
        inner = getattr(operation, "input", None)
        if inner is None or isinstance(inner, list | dict):
            return None
        if len(inner.shape) > 2 and len(tensor.shape) == 2:
            shape = tuple(inner.shape[1:])
            moves = type(operation).__name__ in {"Flatten", "Reshape"}
            return shape if moves and None not in shape and not _is_turned(inner) else None
        if len(inner.shape) != 2:
            return None
        tensor = innermost(inner)


def _is_turned(tensor: "keras.KerasTensor") -> bool:
    """Whether a picture was brought to torch's axis order before it was flattened."""
    return type(tensor._keras_history.operation).__name__ in {"Permute", "Transpose"}
