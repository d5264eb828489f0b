"""Recurrent layers and wrappers of Keras 2 → Keras 3, with their stored arrays where these differ.

Gates with Keras 2's hard_sigmoid get Keras 3's and weights 1.2 times as large, which is equal
(see activations.py). CuDNN layers are the plain layers: old_arrays.py knows their arrays.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import keras
import numpy as np

from converters.tf_to_keras.keras2.translate import activations
from converters.tf_to_keras.keras2.tree import Json, Translated, UntranslatableError

Translate = Callable[[str, Json, str], Translated]
Settings = Callable[[type, Json, Mapping[str, Any], str], Json]

GATES = {"LSTM": 4, "GRU": 3, "ConvLSTM": 4, "SimpleRNN": 1}
_PLAIN_WORDS = "LSTM GRU SimpleRNN LSTMCell GRUCell SimpleRNNCell ConvLSTM1D ConvLSTM2D ConvLSTM3D"
_PLAIN = _PLAIN_WORDS.split()
_CUDNN = {"CuDNNLSTM": "LSTM", "CuDNNGRU": "GRU"}
_WRAPPERS = ("Bidirectional", "TimeDistributed", "RNN", "StackedRNNCells")
CLASSES = frozenset((*_PLAIN, *_CUDNN, *_WRAPPERS))


def translate(
    class_name: str, config: Json, name: str, translate_inner: Translate, settings: Settings
) -> Translated:
    """The Keras 3 layer for one recurrent layer or wrapper."""
    if class_name in _WRAPPERS:
        inner = _WRAP[class_name]
        return inner(config, name, translate_inner, settings)
    if class_name in _CUDNN:
        class_name = _CUDNN[class_name]
        config = config | {"recurrent_activation": "sigmoid"}
        if class_name == "GRU":
            config["reset_after"] = True
    kind = getattr(keras.layers, class_name)
    family = class_name.removesuffix("Cell").rstrip("123D")
    config = dict(config)
    scaled = _hard_sigmoid_key(config, family)
    for key in ("activation", "recurrent_activation"):
        if key in config and key != scaled:
            config[key] = activations.by_name(config[key])
    if family == "GRU":
        config.setdefault("reset_after", False)  # what GRU meant before it had the setting
    kwargs = settings(kind, config, {}, class_name)
    adapt = partial(scale_gates, family=family) if scaled else None
    return Translated(kind(**kwargs, name=name, dtype="float32"), adapt=adapt)


def scale_gates(arrays: list[np.ndarray], family: str) -> list[np.ndarray]:
    """Arrays whose gates answer Keras 3's hard_sigmoid as they did Keras 2's."""
    scale = np.float32(activations.HARD_SIGMOID_SCALE)
    done = []
    for stored in arrays:
        gates = stored.astype(np.float32).reshape(*stored.shape[:-1], GATES[family], -1).copy()
        if family in ("LSTM", "ConvLSTM"):  # input, forget, candidate, output
            gates[..., [0, 1, 3], :] *= scale
        elif family == "GRU":  # update, reset, candidate
            gates[..., [0, 1], :] *= scale
        else:
            gates *= scale
        done.append(gates.reshape(stored.shape))
    return done


def from_cudnn(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Kernel, recurrent kernel and bias of a CuDNN layer as the plain layer keeps them."""
    kernel, recurrent, bias = arrays
    gates = recurrent.shape[1] // recurrent.shape[0]
    kernel = np.hstack([k.T.reshape(k.shape, order="F") for k in np.hsplit(kernel, gates)])
    recurrent = np.hstack([k.T for k in np.hsplit(recurrent, gates)])
    if bias.shape == (2 * recurrent.shape[1],):
        halves = bias.reshape(2, -1)
        bias = halves.sum(axis=0) if gates == 4 else halves
    return [kernel, recurrent, bias]


def _hard_sigmoid_key(config: Json, family: str) -> str | None:
    """The setting that asks for hard_sigmoid on gates, or None; rewritten to Keras 3's word."""
    if family == "SimpleRNN":
        key = "activation"
    else:
        key = "recurrent_activation"
        config.setdefault(key, "hard_sigmoid")  # Keras 2 before 2.3, and TensorFlow.js
    if not activations.is_hard_sigmoid(config.get(key)):
        return None
    config[key] = "hard_sigmoid"
    return key


def _bidirectional(config: Json, name: str, inner: Translate, settings: Settings) -> Translated:
    forward = _wrapped(config, "layer", name, inner)
    backward = None
    if config.get("backward_layer") is not None:
        backward = _wrapped(config, "backward_layer", name, inner)
    layer = keras.layers.Bidirectional(
        forward.layer,
        merge_mode=config.get("merge_mode", "concat"),
        backward_layer=None if backward is None else backward.layer,
        name=name,
        dtype="float32",
    )
    sides = (forward.adapt, forward.adapt if backward is None else backward.adapt)

    def adapt(arrays: list[np.ndarray]) -> list[np.ndarray]:
        half = len(arrays) // 2
        halves = (arrays[:half], arrays[half:])
        return [
            array
            for side, part in zip(sides, halves, strict=True)
            for array in (part if side is None else side(part))
        ]

    return Translated(layer, adapt=adapt if any(sides) else None)


def _time_distributed(config: Json, name: str, inner: Translate, settings: Settings) -> Translated:
    made = _wrapped(config, "layer", name, inner)
    layer = keras.layers.TimeDistributed(made.layer, name=name, dtype="float32")
    return Translated(layer, made.after, made.adapt)


def _rnn(config: Json, name: str, inner: Translate, settings: Settings) -> Translated:
    cell = _wrapped(config, "cell", name, inner)
    rest = {key: value for key, value in config.items() if key not in ("cell", "units")}
    kwargs = settings(keras.layers.RNN, rest, {}, "RNN")
    layer = keras.layers.RNN(cell.layer, **kwargs, name=name, dtype="float32")
    return Translated(layer, adapt=cell.adapt)


def _stacked(config: Json, name: str, inner: Translate, settings: Settings) -> Translated:
    cells = [_wrapped({"layer": cell}, "layer", name, inner) for cell in config["cells"]]
    if any(cell.adapt for cell in cells):
        raise UntranslatableError("StackedRNNCells with hard_sigmoid gates")
    return Translated(
        keras.layers.StackedRNNCells([cell.layer for cell in cells], name=name, dtype="float32")
    )


def _wrapped(config: Json, key: str, name: str, inner: Translate) -> Translated:
    said = config[key]
    own = said["config"].get("name") or f"{name}_{key}"
    return inner(said["class_name"], said["config"], str(own).replace("/", "_"))


_WRAP = {
    "Bidirectional": _bidirectional,
    "TimeDistributed": _time_distributed,
    "RNN": _rnn,
    "StackedRNNCells": _stacked,
}
