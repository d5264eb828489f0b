"""TensorFlow functions that Keras 2 put into a model as layers → keras.ops on Keras tensors.

A function is looked up by the name in the config ("nn.relu6", "math.add"); its arguments are
named as in TensorFlow. A shape is a tuple with None for what is known at run time only.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

Function = Callable[..., Any]


def find(symbol: str) -> Function | None:
    """The function for a TensorFlow symbol, or None."""
    name = symbol.removeprefix("tf.").removeprefix("compat.v1.")
    room, _, last = name.rpartition(".")
    if name in FUNCTIONS or room not in ("math", "nn", "linalg", "__operators__"):
        return FUNCTIONS.get(name)
    return FUNCTIONS.get(last) or FUNCTIONS.get(f"nn.{last}")  # tf.math.add is also tf.add


def _binary(function: Function) -> Function:
    return lambda x, y, name=None: function(_number(x), _number(y))


def _unary(function: Function) -> Function:
    return lambda x, name=None: function(x)


def _reduce(function: Function) -> Function:
    def reduced(
        input_tensor: Any, axis: Any = None, keepdims: bool = False, name: Any = None
    ) -> Any:
        axis = tuple(axis) if isinstance(axis, list) else axis
        return function(input_tensor, axis=axis, keepdims=bool(keepdims))

    return reduced


def _number(value: Any) -> Any:
    return np.asarray(value, np.float32) if isinstance(value, list) else value


def _sizes(shape: Any) -> tuple[int, ...]:
    """A shape for reshape: the one size that is unknown until run time becomes -1."""
    sizes = tuple(-1 if size is None else int(size) for size in shape)
    if sizes.count(-1) > 1:
        raise ValueError(f"more than one size of {tuple(shape)} is known at run time only")
    return sizes


def getitem(tensor: Any, slice_spec: Any, var: Any = None) -> Any:
    """x[...] by Keras 2's record of the subscript."""
    if isinstance(slice_spec, list) and isinstance(tensor, tuple):
        slice_spec = slice_spec[0]
    keys = slice_spec if isinstance(slice_spec, list) else [slice_spec]
    made = tuple(_subscript(key) for key in keys)
    return tensor[made[0] if len(made) == 1 else made]


def _subscript(key: Any) -> Any:
    if isinstance(key, dict) and "start" in key:
        return slice(key["start"], key["stop"], key["step"])
    if isinstance(key, dict) and key.get("class_name") == "__ellipsis__":
        return Ellipsis
    if key is None or isinstance(key, int):
        return key
    raise ValueError(f"subscript {key!r}")


def _l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12, name: Any = None) -> Any:
    axis = tuple(axis) if isinstance(axis, list) else axis
    total = ops.sum(ops.square(x), axis=axis, keepdims=True)
    return ops.multiply(x, ops.rsqrt(ops.maximum(total, epsilon)))


def _matmul(
    a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False, **rest: Any
) -> Any:
    _only_defaults(rest)
    a = ops.swapaxes(a, -1, -2) if transpose_a else a
    b = ops.swapaxes(b, -1, -2) if transpose_b else b
    return ops.matmul(_number(a), _number(b))


def _transpose(a: Any, perm: Any = None, conjugate: bool = False, name: Any = None) -> Any:
    return ops.transpose(a, axes=perm)


def _squeeze(input: Any, axis: Any = None, name: Any = None) -> Any:
    axis = [axis] if isinstance(axis, int) else axis
    return ops.squeeze(input, axis=None if axis is None else tuple(axis))


def _split(value: Any, num_or_size_splits: Any, axis: int = 0, **rest: Any) -> Any:
    _only_defaults(rest)
    if isinstance(num_or_size_splits, int):
        return ops.split(value, num_or_size_splits, axis=axis)
    cuts = [int(cut) for cut in np.cumsum(num_or_size_splits)[:-1]]
    return ops.split(value, cuts, axis=axis)


def _unstack(value: Any, num: Any = None, axis: int = 0, name: Any = None) -> Any:
    return ops.unstack(value, num=num, axis=axis)


def _pad(
    tensor: Any,
    paddings: Sequence[Sequence[int]],
    mode: str = "CONSTANT",
    constant_values: float = 0,
    name: Any = None,
) -> Any:
    mode = mode.lower()
    extra = {"constant_values": constant_values} if mode == "constant" else {}
    return ops.pad(tensor, [tuple(pair) for pair in paddings], mode=mode, **extra)


def _cast(x: Any, dtype: str, name: Any = None) -> Any:
    floating = str(dtype) in ("float16", "bfloat16", "float64")
    return ops.cast(x, "float32" if floating else dtype)


def _resize(
    images: Any, size: Any, method: str = "bilinear", antialias: bool = False, **rest: Any
) -> Any:
    _only_defaults(rest)
    return ops.image.resize(
        images, tuple(size), interpolation=method.lower(), antialias=bool(antialias),
        data_format="channels_last",
    )  # fmt: skip


def _gather(params: Any, indices: Any, axis: int = 0, batch_dims: int = 0, **rest: Any) -> Any:
    _only_defaults(rest)
    if batch_dims:
        raise ValueError(f"batch_dims={batch_dims}")
    return ops.take(params, np.asarray(indices) if isinstance(indices, list) else indices, axis)


def _one_hot(indices: Any, depth: int, on_value: Any = None, off_value: Any = None,
             axis: Any = None, **rest: Any) -> Any:  # fmt: skip
    _only_defaults({key: value for key, value in rest.items() if key != "dtype"})
    if on_value not in (None, 1) or off_value not in (None, 0):
        raise ValueError(f"one_hot with values {off_value} and {on_value}")
    return ops.one_hot(indices, depth, axis=-1 if axis is None else axis)


def _where(condition: Any, x: Any = None, y: Any = None, name: Any = None) -> Any:
    if x is None or y is None:
        raise ValueError("where without values gives a number of rows known at run time only")
    return ops.where(condition, x, y)


def _depth_to_space(input: Any, block_size: int, **rest: Any) -> Any:
    _only_defaults(rest, data_format="NHWC")
    height, width, depth = (_known(size) for size in input.shape[1:])
    out = depth // block_size**2
    x = ops.reshape(input, (-1, height, width, block_size, block_size, out))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (-1, height * block_size, width * block_size, out))


def _space_to_depth(input: Any, block_size: int, **rest: Any) -> Any:
    _only_defaults(rest, data_format="NHWC")
    height, width, depth = (_known(size) for size in input.shape[1:])
    rows, columns = height // block_size, width // block_size
    x = ops.reshape(input, (-1, rows, block_size, columns, block_size, depth))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (-1, rows, columns, block_size**2 * depth))


def _known(size: int | None) -> int:
    if size is None:
        raise ValueError("a height or width that is known at run time only")
    return size


def _only_defaults(rest: dict[str, Any], **defaults: Any) -> None:
    lost = {k: v for k, v in rest.items() if v not in (None, False, 0) and v != defaults.get(k)}
    if lost:
        raise ValueError(f"arguments {lost}")


def _cumsum(x: Any, axis: int = 0, **rest: Any) -> Any:
    _only_defaults(rest)
    return ops.cumsum(x, axis=axis)


def _leaky_relu(features: Any, alpha: float = 0.2, name: Any = None) -> Any:
    return keras.activations.leaky_relu(features, negative_slope=alpha)


def _softmax(logits: Any, axis: int = -1, name: Any = None) -> Any:
    return ops.softmax(logits, axis=-1 if axis is None else axis)


def _logsumexp(
    input_tensor: Any, axis: Any = None, keepdims: bool = False, name: Any = None
) -> Any:
    return ops.logsumexp(input_tensor, axis=axis, keepdims=keepdims)


FUNCTIONS: dict[str, Function] = {
    "__operators__.getitem": getitem,
    "shape": lambda input, out_type=None, name=None: tuple(ops.shape(input)),
    "identity": lambda input, name=None: input,
    "stop_gradient": lambda input, name=None: ops.stop_gradient(input),
    "reshape": lambda tensor, shape, name=None: ops.reshape(tensor, _sizes(shape)),
    "expand_dims": lambda input, axis, name=None: ops.expand_dims(input, axis),
    "squeeze": _squeeze,
    "transpose": _transpose,
    "concat": lambda values, axis, name=None: ops.concatenate(
        [_number(value) for value in values], axis=axis
    ),
    "stack": lambda values, axis=0, name=None: ops.stack(
        [_number(value) for value in values], axis=axis
    ),
    "unstack": _unstack,
    "split": _split,
    "tile": lambda input, multiples, name=None: ops.tile(input, tuple(multiples)),
    "reverse": lambda tensor, axis, name=None: ops.flip(tensor, axis=tuple(axis)),
    "repeat": lambda input, repeats, axis=None, name=None: ops.repeat(input, repeats, axis=axis),
    "pad": _pad,
    "cast": _cast,
    "gather": _gather,
    "one_hot": _one_hot,
    "where": _where,
    "where_v2": _where,
    "clip_by_value": lambda t, clip_value_min, clip_value_max, name=None: ops.clip(
        t, clip_value_min, clip_value_max
    ),
    "image.resize": _resize,
    "nn.depth_to_space": _depth_to_space,
    "nn.space_to_depth": _space_to_depth,
    "l2_normalize": _l2_normalize,
    "matmul": _matmul,
    "argmax": lambda input, axis=0, output_type=None, name=None: ops.argmax(input, axis=axis),
    "argmin": lambda input, axis=0, output_type=None, name=None: ops.argmin(input, axis=axis),
    "cumsum": _cumsum,
    "nn.bias_add": lambda value, bias, data_format=None, name=None: ops.add(value, _number(bias)),
    "nn.relu": lambda features, name=None: ops.relu(features),
    "nn.relu6": lambda features, name=None: ops.relu6(features),
    "nn.elu": lambda features, name=None: ops.elu(features),
    "nn.selu": lambda features, name=None: ops.selu(features),
    "nn.silu": lambda features, beta=1.0, name=None: (
        ops.silu(ops.multiply(features, beta)) if beta != 1.0 else ops.silu(features)
    ),
    "nn.softplus": lambda features, name=None: ops.softplus(features),
    "nn.softsign": lambda features, name=None: ops.softsign(features),
    "nn.gelu": lambda features, approximate=False, name=None: ops.gelu(features, approximate),
    "nn.leaky_relu": _leaky_relu,
    "nn.softmax": _softmax,
    "nn.log_softmax": lambda logits, axis=-1, name=None: ops.log_softmax(
        logits, axis=-1 if axis is None else axis
    ),
    "reduce_logsumexp": _logsumexp,
}
_BINARY = {
    "add add_v2 addv2": ops.add,
    "subtract sub": ops.subtract,
    "multiply mul": ops.multiply,
    "truediv divide realdiv real_div": ops.true_divide,
    "floordiv floor_div": ops.floor_divide,
    "mod floormod": ops.mod,
    "pow": ops.power,
    "maximum": ops.maximum,
    "minimum": ops.minimum,
    "squared_difference": lambda x, y: ops.square(ops.subtract(x, y)),
    "greater": ops.greater,
    "greater_equal": ops.greater_equal,
    "less": ops.less,
    "less_equal": ops.less_equal,
    "equal eq": ops.equal,
    "not_equal ne": ops.not_equal,
    "logical_and": ops.logical_and,
    "logical_or": ops.logical_or,
}
_UNARY = {
    "abs": ops.abs,
    "negative neg": ops.negative,
    "exp": ops.exp,
    "expm1": ops.expm1,
    "log": ops.log,
    "log1p": ops.log1p,
    "sqrt": ops.sqrt,
    "rsqrt": ops.rsqrt,
    "square": ops.square,
    "reciprocal": ops.reciprocal,
    "sign": ops.sign,
    "floor": ops.floor,
    "ceil": ops.ceil,
    "round": ops.round,
    "sin": ops.sin,
    "cos": ops.cos,
    "tanh": ops.tanh,
    "sigmoid": ops.sigmoid,
    "erf": ops.erf,
    "logical_not": ops.logical_not,
    "zeros_like zeros_like_v2": ops.zeros_like,
    "ones_like ones_like_v2": ops.ones_like,
}
_REDUCED = {
    "reduce_mean": ops.mean,
    "reduce_sum": ops.sum,
    "reduce_max": ops.max,
    "reduce_min": ops.min,
    "reduce_prod": ops.prod,
    "reduce_any": ops.any,
    "reduce_all": ops.all,
    "reduce_std": ops.std,
    "reduce_variance": ops.var,
}
for _table, _wrap in ((_BINARY, _binary), (_UNARY, _unary), (_REDUCED, _reduce)):
    for _names, _function in _table.items():
        FUNCTIONS |= {_name: _wrap(_function) for _name in _names.split()}
for _alias, _name in {"swish": "nn.silu"}.items():
    FUNCTIONS[_alias] = FUNCTIONS[_name]
