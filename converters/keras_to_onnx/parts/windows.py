"""Convolution and pooling on values stored channels-first, with TensorFlow's padding."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from converters.keras_to_onnx.graph import Graph, Operand
from converters.keras_to_onnx.value import Spec, UnwrittenError, Value, channels_first

_NEVER_NEGATIVE = ("Relu", "Sigmoid", "Softmax", "Softplus", "HardSigmoid")


def channel_axis(data_format: str | None) -> int:
    """Keras' axis of the channels."""
    if data_format is None:
        import keras

        data_format = keras.config.image_data_format()
    return -1 if data_format == "channels_last" else 1


def per_axis(setting: int | Sequence[int], rank: int) -> list[int]:
    """A setting for each spatial axis.

    >>> per_axis(2, 3), per_axis((1, 2), 2)
    ([2, 2, 2], [1, 2])
    """
    return [setting] * rank if isinstance(setting, int) else [int(size) for size in setting]


def spatial_first(g: Graph, x: Value, data_format: str | None) -> Value:
    """The value stored as (n, c, spatial...)."""
    return g.turned(x, channels_first(x.rank, channel_axis(data_format)))


def same_pads(
    sizes: Sequence[int | None], kernel: Sequence[int], strides: Sequence[int]
) -> dict[str, Any]:
    """What pads as TensorFlow's "same": counted where sizes are known, else left to ONNX.

    >>> same_pads([7, 8], [3, 3], [2, 2])
    {'pads': [1, 0, 1, 1]}
    """
    if any(size is None and stride > 1 for size, stride in zip(sizes, strides, strict=True)):
        return {"auto_pad": "SAME_UPPER"}
    begin, end = [], []
    for size, span, stride in zip(sizes, kernel, strides, strict=True):
        covered = 1 if size is None else size
        total = max((-(-covered // stride) - 1) * stride + span - covered, 0)
        begin.append(total // 2)
        end.append(total - total // 2)
    return {"pads": begin + end}


def convolve(
    g: Graph,
    x: Value,
    weight: Operand,
    bias: Operand,
    out: Spec,
    *,
    kernel: Sequence[int],
    settings: Any,
    groups: int = 1,
) -> Value:
    """A Conv; `settings` is the layer or operation with strides, padding, dilation_rate.

    `weight` is stored as (out, in / groups, *kernel).
    """
    rank = x.rank - 2
    strides, dilations = per_axis(settings.strides, rank), per_axis(settings.dilation_rate, rank)
    x = spatial_first(g, x, settings.data_format)
    spans = [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]
    pads: dict[str, Any] = {"pads": [0] * (2 * rank)}
    if settings.padding == "same":
        pads = same_pads(x.stored_shape[2:], spans, strides)
    elif settings.padding == "causal":
        pads = {"pads": [spans[0] - 1, 0]}
    return g.emit(
        "Conv",
        [x, weight, bias],
        out.shape,
        "float32",
        x.order,
        kernel_shape=list(kernel),
        strides=strides,
        dilations=dilations,
        group=groups,
        **pads,
    )


def convolve_back(
    g: Graph, x: Value, weight: Operand, bias: Operand, out: Spec, *, kernel: Any, settings: Any
) -> Value:
    """A ConvTranspose; `weight` is stored as (in, out, *kernel)."""
    rank = x.rank - 2
    strides, dilations = per_axis(settings.strides, rank), per_axis(settings.dilation_rate, rank)
    extra: list[int | None] = [None] * rank
    if settings.output_padding is not None:
        extra = list(per_axis(settings.output_padding, rank))
    begin, end, more = [], [], []
    for size, stride, dilation, given in zip(kernel, strides, dilations, extra, strict=True):
        span = (size - 1) * dilation + 1
        # How much longer the full result is than the one that Keras wants.
        if settings.padding == "same":
            cut = span - stride if given is None else span - span % 2 - given
        else:
            cut = min(span - stride, 0) if given is None else -given
        begin.append(max(cut, 0) // 2)
        end.append(max(cut, 0) - max(cut, 0) // 2)
        more.append(max(-cut, 0))
    x = spatial_first(g, x, settings.data_format)
    return g.emit(
        "ConvTranspose",
        [x, weight, bias],
        out.shape,
        "float32",
        x.order,
        kernel_shape=list(kernel),
        strides=strides,
        dilations=dilations,
        output_padding=more,
        pads=begin + end,
    )


def pool(g: Graph, x: Value, out: Spec, kind: str, settings: Any) -> Value:
    """A MaxPool or AveragePool; padding counts neither in the maximum nor in the mean."""
    rank = x.rank - 2
    size = per_axis(settings.pool_size, rank)
    strides = per_axis(settings.strides or settings.pool_size, rank)
    x = spatial_first(g, x, settings.data_format)
    pads: dict[str, Any] = {"pads": [0] * (2 * rank)}
    if settings.padding == "same":
        pads = same_pads(x.stored_shape[2:], size, strides)
    if x.dtype != "float32":
        raise UnwrittenError(f"expected float values to pool, came {x.dtype}")
    if kind == "AveragePool":
        pads["count_include_pad"] = 0
    else:
        _keep_zeros(g, x)
    return g.emit(
        kind, [x], out.shape, x.dtype, x.order, kernel_shape=size, strides=strides, **pads
    )


def _keep_zeros(g: Graph, x: Value) -> None:
    """Zeros that were padded before a maximum stay numbers of their own.

    ONNX Runtime (1.23) takes a Pad with 0 into the MaxPool behind it, where padding counts as
    -inf: wrong wherever a window has negative numbers only. It leaves any other number alone.
    """
    pad = g.made_by.get(x.name)
    if pad is None or pad.op_type != "Pad":
        return
    before = g.made_by.get(pad.input[0])
    if before is None or before.op_type not in _NEVER_NEGATIVE:
        pad.input[2] = g.constant(np.asarray(np.finfo(np.float32).tiny))


def adaptive_pool(g: Graph, x: Value, out: Spec, kind: str, settings: Any) -> Value:
    """Pooling to a given size: windows where they are equal, else the means as matrices."""
    x = spatial_first(g, x, settings.data_format)
    sizes = x.stored_shape[2:]
    aims = per_axis(settings.output_size, x.rank - 2)
    if any(size is None for size in sizes):
        raise UnwrittenError(f"expected known sizes to pool to {aims}, came {x.shape}")
    known = [int(size) for size in sizes if size is not None]
    if all(size % aim == 0 for size, aim in zip(known, aims, strict=True)):
        window = [size // aim for size, aim in zip(known, aims, strict=True)]
        (name,) = g.node(kind, [x], kernel_shape=window, strides=window)
        return Value(name, out.shape, x.dtype, x.order)
    if kind == "MaxPool":
        raise UnwrittenError(f"expected sizes that {aims} divide for adaptive maxima, came {sizes}")
    matrices = [_means(size, aim) for size, aim in zip(known, aims, strict=True)]
    return along_space(g, x, matrices, out)


def along_space(g: Graph, x: Value, matrices: Sequence[np.ndarray], out: Spec) -> Value:
    """A matrix (new, old) applied along each of one or two spatial axes of a (n, c, ...) value."""
    if len(matrices) > 2:
        raise UnwrittenError(f"expected one or two spatial axes, came {len(matrices)}")
    name = g.node("MatMul", [x, np.ascontiguousarray(matrices[-1].T, np.float32)])[0]
    if len(matrices) == 2:
        name = g.node("MatMul", [np.asarray(matrices[0], np.float32), name])[0]
    return Value(name, out.shape, x.dtype, x.order)


def along_channels(
    g: Graph, x: Value, matrix: np.ndarray, out: Spec, data_format: str | None
) -> Value:
    """A matrix (new, old) applied to the channels of every place: a Conv of size 1."""
    x = spatial_first(g, g.cast(x, "float32"), data_format)
    ones = [1] * (x.rank - 2)
    weight = np.asarray(matrix, np.float32).reshape(*matrix.shape, *ones)
    return g.emit("Conv", [x, weight], out.shape, "float32", x.order, kernel_shape=ones)


def _means(size: int, aim: int) -> np.ndarray:
    """(aim, size): row i averages entries floor(i size / aim) up to ceil((i + 1) size / aim)."""
    rows = np.zeros((aim, size), np.float32)
    for row in range(aim):
        begin, end = row * size // aim, -(-(row + 1) * size // aim)
        rows[row, begin:end] = 1 / (end - begin)
    return rows


def kernel_first(array: np.ndarray) -> np.ndarray:
    """(*kernel, a, b) → (b, a, *kernel), a view; Keras ends with (in, out), or (out, in) back."""
    return np.moveaxis(array, (-1, -2), (0, 1))
