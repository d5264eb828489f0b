"""LSTM, GRU and RNN: one Keras layer a direction, its gates in Keras' sequence.

ONNX   x (time, batch, features)  W (directions, gates * units, features)   gates i o f c | z r h
Keras  x (batch, time, features)  kernel (features, gates * units)          gates i f c o | z r h
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import keras
import numpy as np
from keras import KerasTensor
from keras import ops as K

from converters.onnx_to_keras.ops import Operand
from converters.onnx_to_keras.registry import Constant, op

if TYPE_CHECKING:
    from converters.onnx_to_keras.build import Build

_ACTIVATIONS = {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "relu", "softsign": "softsign"}
_DIRECTIONS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}


@dataclass(frozen=True)
class _Cell:
    """What differs between the three layers."""

    kind: type[keras.Layer]
    gates: tuple[int, ...]  # Keras' gates by their places in ONNX
    activations: tuple[str, ...]  # ONNX's defaults
    states: int


_LSTM = _Cell(keras.layers.LSTM, (0, 2, 3, 1), ("sigmoid", "tanh", "tanh"), 2)
_GRU = _Cell(keras.layers.GRU, (0, 1, 2), ("sigmoid", "tanh"), 1)
_RNN = _Cell(keras.layers.SimpleRNN, (0,), ("tanh",), 1)


@op("LSTM", order="fixed")
def lstm(
    build: Build,
    x: KerasTensor,
    kernel: Operand,
    recurrent: Operand,
    bias: Operand | None = None,
    lengths: Operand | None = None,
    hidden: Operand | None = None,
    carry: Operand | None = None,
    peepholes: Operand | None = None,
    *,
    input_forget: int = 0,
    **attributes: object,
) -> tuple[KerasTensor, ...]:
    """x (time, batch, features) → y (time, directions, batch, units), hidden, carry."""
    fixed_peepholes = isinstance(peepholes, Constant) and not peepholes.value.any()
    if input_forget or (peepholes is not None and not fixed_peepholes):
        raise build.fail("an LSTM without peepholes and with three gates", _PLAIN)
    weights = (kernel, recurrent, bias)
    return _recurrent(build, _LSTM, x, weights, lengths, (hidden, carry), attributes)


@op("GRU", order="fixed")
def gru(
    build: Build,
    x: KerasTensor,
    kernel: Operand,
    recurrent: Operand,
    bias: Operand | None = None,
    lengths: Operand | None = None,
    hidden: Operand | None = None,
    *,
    linear_before_reset: int = 0,
    **attributes: object,
) -> tuple[KerasTensor, ...]:
    """x (time, batch, features) → y (time, directions, batch, units), hidden."""
    weights, extra = (kernel, recurrent, bias), {"reset_after": bool(linear_before_reset)}
    return _recurrent(build, _GRU, x, weights, lengths, (hidden,), attributes, extra)


@op("RNN", order="fixed")
def rnn(
    build: Build,
    x: KerasTensor,
    kernel: Operand,
    recurrent: Operand,
    bias: Operand | None = None,
    lengths: Operand | None = None,
    hidden: Operand | None = None,
    **attributes: object,
) -> tuple[KerasTensor, ...]:
    """x (time, batch, features) → y (time, directions, batch, units), hidden."""
    weights = (kernel, recurrent, bias)
    return _recurrent(build, _RNN, x, weights, lengths, (hidden,), attributes)


_PLAIN = "Export the layer with its default options (those of torch.nn)."


def _recurrent(
    build: Build,
    cell: _Cell,
    x: KerasTensor,
    weights: tuple[Operand, Operand, Operand | None],
    lengths: Operand | None,
    states: Sequence[Operand | None],
    attributes: Mapping[str, object],
    extra: Mapping[str, object] | None = None,
) -> tuple[KerasTensor, ...]:
    """All directions, stacked as ONNX has them."""
    by_batch = bool(attributes.get("layout", 0))
    x = x if by_batch else K.transpose(x, (1, 0, 2))
    stored = _stored(build, weights)
    _check(build, lengths, attributes, x.shape[1])
    directions = _DIRECTIONS[str(attributes.get("direction", "forward"))]
    found = []
    for place, backwards in enumerate(directions):
        config = _activations(build, cell, attributes, place, len(directions))
        config |= {"go_backwards": backwards, **(extra or {})}
        own = [_direction(build, part, place, by_batch) for part in states]
        sequence, *last = _layer(build, cell, x, stored, place, own, config)
        found.append((K.flip(sequence, axis=1) if backwards else sequence, *last))
    sequences, *lasts = zip(*found, strict=True)
    y = K.stack(sequences, axis=2)  # batch, time, directions, units
    y = y if by_batch else K.transpose(y, (1, 2, 0, 3))
    return (y, *(K.stack(last, axis=1 if by_batch else 0) for last in lasts))


_Stored: TypeAlias = tuple[Constant, Constant, Constant | None]


def _stored(build: Build, weights: tuple[Operand, Operand, Operand | None]) -> _Stored:
    """The weights, which have to be stored in the file."""
    kernel, recurrent, bias = weights
    whole = isinstance(kernel, Constant) and isinstance(recurrent, Constant)
    if not whole or not (bias is None or isinstance(bias, Constant)):
        raise build.fail("weights that are stored in the file", "Export trained weights.")
    return kernel, recurrent, bias


def _check(
    build: Build, lengths: Operand | None, attributes: Mapping[str, object], time: int | None
) -> None:
    """Whether Keras has a layer that does the same."""
    if attributes.get("clip"):
        raise build.fail("no clip of the gates", _PLAIN)
    if lengths is None:
        return
    if not isinstance(lengths, Constant) or time is None or (lengths.value != time).any():
        raise build.fail(
            "sequences that are all as long as the input (no sequence_lens)",
            "Export without packed sequences.",
        )


def _activations(
    build: Build, cell: _Cell, attributes: Mapping[str, object], place: int, directions: int
) -> dict[str, object]:
    """Names of the activations of one direction, as Keras' arguments."""
    given = attributes.get("activations")
    size = len(cell.activations)
    names = [str(name).lower() for name in given] if isinstance(given, list) else []
    own = names[place * size : (place + 1) * size] or list(cell.activations)
    if any(name not in _ACTIVATIONS for name in own) or own[1:] != own[1:2] * (size - 1):
        raise build.fail("activations that Keras has, one for all states", _PLAIN)
    if size == 1:
        return {"activation": _ACTIVATIONS[own[0]]}
    return {
        "recurrent_activation": _ACTIVATIONS[own[0]],
        "activation": _ACTIVATIONS[own[1]],
    }


def _direction(
    build: Build, part: Operand | None, place: int, by_batch: bool
) -> KerasTensor | np.ndarray | None:
    """The first state of one direction, (batch, units); None if it is zero."""
    if part is None or (isinstance(part, Constant) and not part.value.any()):
        return None
    value = build.tensor(part)
    return value[:, place] if by_batch else value[place]


def _layer(
    build: Build,
    cell: _Cell,
    x: KerasTensor,
    weights: _Stored,
    place: int,
    states: Sequence[KerasTensor | None],
    config: Mapping[str, object],
) -> tuple[KerasTensor, ...]:
    """One direction: y (batch, time, units) in the sequence it was made, and the last states."""
    kernel, recurrent = (replace(part, value=part.value[place]) for part in weights[:2])
    bias = None if weights[2] is None else replace(weights[2], value=weights[2].value[place])
    units = recurrent.value.shape[1]
    named = {
        "kernel": replace(kernel, value=_gates(kernel.value, cell).T),
        "recurrent_kernel": replace(recurrent, value=_gates(recurrent.value, cell).T),
    }
    if bias is not None:
        both = np.stack([_gates(half, cell) for half in np.split(bias.value, 2)])
        twofold = config.get("reset_after", False)
        named["bias"] = replace(bias, value=both if twofold else both.sum(axis=0))
    inputs: list[object] = [x]
    if any(state is not None for state in states):
        inputs.append(_filled(x, states, units))
    return build.layer(
        cell.kind,
        *inputs,
        weights=named,
        units=units,
        use_bias=bias is not None,
        return_sequences=True,
        return_state=True,
        **config,
    )


def _filled(x: KerasTensor, states: Sequence[KerasTensor | None], units: int) -> list[KerasTensor]:
    """The first states, each with the batch of x; zeros for one that is not given."""
    rows = K.zeros_like(x[:, 0, :1])
    fill = np.zeros((1, units), dtype=np.float32)
    return [K.add(rows, fill if state is None else state) for state in states]


def _gates(value: np.ndarray, cell: _Cell) -> np.ndarray:
    """(gates * units, ...) with the gates in Keras' sequence."""
    parts = np.split(value, len(cell.gates))
    return np.concatenate([parts[gate] for gate in cell.gates])
