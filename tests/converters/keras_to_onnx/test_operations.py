"""keras.ops in a model, on values in Keras' order and on channels-first ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras import layers, ops

from tests.converters.keras_to_onnx.nets import network, written

KERNEL = np.random.default_rng(0).normal(size=(2, 2, 5, 3)).astype(np.float32)
WIDTHS = ((0, 0), (1, 2), (0, 1), (0, 0))

ELEMENTWISE: dict[str, Callable[[Any], Any]] = {
    name: getattr(ops, name)
    for name in """
        abs arcsinh arctan cbrt ceil cos cosh erf exp exp2 expm1 floor isfinite isinf isnan
        negative round sign sin sinh square tanh trunc sigmoid relu6 softplus
    """.split()  # noqa: SIM905 - a list of words
} | {
    "tan": lambda x: ops.tan(ops.tanh(x)),
    "acos": lambda x: ops.arccos(ops.tanh(x)),
    "asin": lambda x: ops.arcsin(ops.tanh(x)),
    "log": lambda x: ops.log(ops.abs(x) + 1),
    "logs": lambda x: ops.log1p(ops.abs(x)) + ops.log2(ops.abs(x) + 1) + ops.log10(x * x + 1),
    "roots": lambda x: ops.sqrt(ops.abs(x)) + ops.rsqrt(ops.abs(x) + 0.1),
    "arithmetic": lambda x: 1 / (x * x + 1) - (2 - x) ** 2,
    "clip": lambda x: ops.clip(x, -0.3, 0.4),
    "mod": lambda x: ops.mod(x, 0.7) + x // 0.7,
    "casts": lambda x: ops.cast(x * 9, "int32") + 3,
    "truths": lambda x: ops.cast(ops.logical_and(x >= 0.1, ops.not_equal(x, 0)), "float32"),
    "not": lambda x: ops.logical_not(ops.logical_or(x > 0.5, ops.less(x, -0.5))),
    "where": lambda x: ops.where(x > 0, x, -1.0),
    "divide": lambda x: ops.divide_no_nan(x, ops.relu(x)),
    "extremes": lambda x: ops.minimum(ops.maximum(x, 0.1), 0.8),
    "likes": lambda x: ops.zeros_like(x) + ops.ones_like(x) * x,
    "logaddexp": lambda x: ops.logaddexp(x, x * 2),
}
REDUCED: dict[str, Callable[[Any], Any]] = {
    "mean": lambda x: ops.mean(x, axis=-1),
    "mean, axes": lambda x: ops.mean(x, axis=[1, 2], keepdims=True),
    "sum": lambda x: ops.sum(x, axis=1),
    "max": lambda x: ops.max(x, axis=(1, 3)),
    "min": lambda x: ops.min(x, -1, keepdims=True),
    "prod": lambda x: ops.prod(x, 2),
    "var": lambda x: ops.var(x, axis=1),
    "std": lambda x: ops.std(x, axis=-1, keepdims=True),
    "logsumexp": lambda x: ops.logsumexp(x, axis=-1),
    "truths": lambda x: [ops.any(x > 1, axis=-1), ops.all(x > -1, axis=1)],
    "argmax": lambda x: ops.argmax(x, -1),
    "argmin": lambda x: ops.argmin(x, 2, keepdims=True),
    "top_k": lambda x: ops.top_k(x, 2),
    "sort": lambda x: [ops.sort(x, axis=1), ops.argsort(x)],
    "cumsum": lambda x: ops.cumsum(x, axis=1),
    "norm": lambda x: ops.norm(x, axis=-1),
    "softmax": lambda x: [ops.softmax(x, axis=1), ops.log_softmax(x)],
    "moments": lambda x: ops.moments(x, axes=[1, 2]),
    "normalize": lambda x: ops.normalize(x, axis=1),
    "count": lambda x: ops.count_nonzero(x > 0, axis=-1),
    "norms": lambda x: ops.layer_normalization(x) + ops.rms_normalization(x),
}
MOVED: dict[str, Callable[[Any], Any]] = {
    "transpose": lambda x: ops.transpose(x, (0, 3, 2, 1)),
    "swapaxes": lambda x: ops.swapaxes(x, 1, 3),
    "moveaxis": lambda x: ops.moveaxis(x, 1, -1),
    "reshape": lambda x: ops.reshape(x, (-1, x.shape[1] * x.shape[2], x.shape[3])),
    "expand": lambda x: ops.squeeze(ops.expand_dims(x, 2)[:, :1], 1),
    "concatenate": lambda x: ops.concatenate([x, x * 2], axis=-1),
    "stack": lambda x: ops.stack([x, x * 2], axis=1),
    "split": lambda x: ops.split(x, [1, 3], axis=2),
    "unstack": lambda x: ops.unstack(x, axis=1)[1],
    "pad, -inf": lambda x: ops.pad(x, WIDTHS, constant_values=-np.inf),
    "pad, reflect": lambda x: ops.pad(x, WIDTHS, mode="reflect"),
    "repeat": lambda x: ops.repeat(x, 2, axis=1),
    "tile": lambda x: ops.tile(x, (1, 2, 1, 3)),
    "flip": lambda x: ops.flip(x, axis=1),
    "roll": lambda x: ops.roll(x, 2, axis=2),
    "index": lambda x: x[:, 1],
    "slices": lambda x: x[:, ::2, 1:-1, -1],
    "ellipsis": lambda x: x[..., None, 0],
    "new axis": lambda x: x[:, None, -2:],
    "take": lambda x: ops.take(x, [2, 0], axis=1),
    "take, table": lambda x: ops.take(x, np.array([[0, 1], [1, 0]]), axis=3),
    "take_along_axis": lambda x: ops.take_along_axis(x, ops.argsort(x, axis=1), axis=1),
    "one_hot": lambda x: ops.one_hot(ops.cast(x, "int32"), 3),
    "triangle": lambda x: ops.tril(x) + ops.triu(x, 1),
}
PRODUCTS: dict[str, Callable[[Any], Any]] = {
    "matmul": lambda x: ops.matmul(x, ops.swapaxes(x, -1, -2)),
    "matmul, constant": lambda x: ops.matmul(x, KERNEL[0, 0]),
    "dot": lambda x: ops.dot(x, KERNEL[0, 0]),
    "tensordot": lambda x: ops.tensordot(x, KERNEL[0, 0], axes=1),
    "einsum": lambda x: ops.einsum("bhwc,bhvc->bhwv", x, x),
    "conv": lambda x: ops.conv(x, KERNEL, padding="same"),
    "depthwise_conv": lambda x: ops.depthwise_conv(x, KERNEL),
    "pools": lambda x: [ops.max_pool(x, 2, 1, "same"), ops.average_pool(x, (2, 3))],
    "resize": lambda x: ops.image.resize(x, (4, 13)),
    "attention": lambda x: ops.dot_product_attention(x, x, x, is_causal=True),
    "grey": lambda x: ops.image.rgb_to_grayscale(x[..., :3]),
    "patches": lambda x: ops.image.extract_patches(x, 3, strides=2, padding="same"),
    "batch_normalization": lambda x: ops.batch_normalization(
        x, np.arange(5, dtype=np.float32), np.arange(1, 6, dtype=np.float32), -1
    ),
    "blocks": lambda x: ops.depth_to_space(ops.space_to_depth(x[:, :4, :6], 2), 2),
}
ALL = {
    f"{group} {name}": function
    for group, table in [
        ("elementwise", ELEMENTWISE),
        ("reduced", REDUCED),
        ("moved", MOVED),
        ("product", PRODUCTS),
    ]
    for name, function in table.items()
}


@pytest.mark.parametrize("name", ALL)
def test_operation(tmp_path: Path, name: str) -> None:
    function = ALL[name]
    conv = layers.Conv2D(5, 2)
    model = network([(6, 8, 5), (7, 9, 4)], lambda a, b: [function(a), function(conv(b))])
    written(model, tmp_path / "a.onnx")
