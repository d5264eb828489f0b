"""Darknet's own `.weights` file onto Darknet-19.

    header  3 int32: major, minor, revision; then the pictures seen: int64, int32 before 0.2
    layer   beta, gamma, mean, variance (c,) each; kernel (out, in, h, w); all float32
    end     the classifier: bias (classes,), kernel (classes, 1024, 1, 1), left out

Source: `load_weights_upto` and `load_convolutional_weights` in parser.c of
https://github.com/pjreddie/darknet.
"""

from pathlib import Path

import keras
import numpy as np

from tlkeras.errors import WeightsError

SUFFIX = ".weights"

_NORM = ("beta", "gamma", "moving_mean", "moving_variance")


def load_darknet(model: keras.Model, path: Path, name: str) -> None:
    """Copies all weights of `model` from a `.weights` file of Darknet.

    Raises:
        WeightsError: a file of another network; `model` is as it was.

    Example::

        load_darknet(model, Path("darknet19.weights"), "Darknet19")
    """
    values = _values(path)
    layers = [layer for layer in model.layers if layer.weights]
    pairs = list(zip(layers[::2], layers[1::2], strict=True))
    expected = int(model.count_params())
    width = int(pairs[-1][0].filters)
    left = values.size - expected
    if left < 0 or left % (width + 1):
        raise WeightsError(
            f"Expected weights of {name}, {expected} numbers and a classifier of {width + 1} "
            f"a class, got {path} with {values.size} numbers. It is cut short or of another "
            "network: take darknet19.weights."
        )
    if not np.isfinite(values).all():
        raise WeightsError(
            f"Expected finite weights, got NaN or infinity in {path}. It is damaged or not a "
            "file of Darknet: take another."
        )
    for conv, norm in pairs:
        for variable in _NORM:
            target = getattr(norm, variable)
            target.assign(values[: target.shape[0]])
            values = values[target.shape[0] :]
        height, width, inputs, outputs = conv.kernel.shape
        size = height * width * inputs * outputs
        conv.kernel.assign(
            values[:size].reshape(outputs, inputs, height, width).transpose(2, 3, 1, 0)
        )
        values = values[size:]


def _values(path: Path) -> np.ndarray:
    content = path.read_bytes()
    if len(content) < 20:
        raise WeightsError(
            f"Expected a .weights file of Darknet, got {path} with {len(content)} bytes. "
            "Download it again."
        )
    major, minor, _ = (int(number) for number in np.frombuffer(content, "<i4", 3))
    header = 20 if major * 10 + minor >= 2 else 16
    return np.frombuffer(content, "<f4", (len(content) - header) // 4, offset=header)
