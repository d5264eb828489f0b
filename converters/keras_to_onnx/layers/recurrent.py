"""LSTM, GRU, SimpleRNN and Bidirectional on ONNX's own recurrent operators.

These want time first; the label travels, so that stacked layers need one transpose in all.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from converters.keras_to_onnx.graph import Graph
from converters.keras_to_onnx.parts.align import pointwise
from converters.keras_to_onnx.parts.joining import joined
from converters.keras_to_onnx.parts.movement import cut
from converters.keras_to_onnx.registry import layer
from converters.keras_to_onnx.value import Spec, UnwrittenError, Value

# Keras' gates (i, f, c, o) and (z, r, h) in ONNX's order (i, o, f, c) and (z, r, h).
_GATES = {"LSTM": (0, 3, 1, 2), "GRU": (0, 1, 2), "RNN": (0,)}
_NODES = {"LSTM": "LSTM", "GRU": "GRU", "SimpleRNN": "RNN"}
_FUNCTIONS: dict[str, tuple[str, float, float]] = {
    "sigmoid": ("Sigmoid", 0.0, 0.0),
    "tanh": ("Tanh", 0.0, 0.0),
    "relu": ("Relu", 0.0, 0.0),
    "hard_sigmoid": ("HardSigmoid", 1 / 6, 0.5),
    "linear": ("Affine", 1.0, 0.0),
    "softsign": ("Softsign", 0.0, 0.0),
    "softplus": ("Softplus", 0.0, 0.0),
}
_TIME_FIRST = (1, 0, 2)


@dataclass(frozen=True)
class Run:
    """What one recurrent node gives: all steps (n, t, units) and the last states (n, units)."""

    steps: Value
    states: list[Value]


@layer("LSTM", "GRU", "SimpleRNN")
def recurrent(
    g: Graph,
    op: Any,
    out: Spec | list[Spec],
    x: Value,
    *more: Any,
    initial_state: Any = None,
    mask: Value | None = None,
    **_: Any,
) -> Value | list[Value]:
    """The steps or the last of them, then the states where the layer returns them."""
    given = initial_state if initial_state is not None else (more[0] if more else None)
    run = _run(g, op, x, given, mask)
    first = run.states[0]
    if op.return_sequences:
        # ONNX gives the steps in the order of time, Keras as they were computed.
        first = _reversed(g, run.steps) if op.go_backwards else run.steps
    return [first, *run.states] if op.return_state else first


@layer("Bidirectional")
def bidirectional(
    g: Graph,
    op: Any,
    out: Spec | list[Spec],
    x: Value,
    *more: Any,
    initial_state: Any = None,
    mask: Value | None = None,
    **_: Any,
) -> Value | list[Value]:
    """Both layers, then their outputs joined as `merge_mode` says."""
    there, back = op.forward_layer, op.backward_layer
    given = initial_state if initial_state is not None else (more[0] if more else None)
    half = len(given) // 2 if given is not None else 0
    runs = []
    for layer_, states in [(there, given and given[:half]), (back, given and given[half:])]:
        if type(layer_).__name__ not in _NODES:
            raise UnwrittenError(f"expected LSTM, GRU or SimpleRNN, came {type(layer_).__name__}")
        with g.scoped(layer_.name):
            runs.append(_run(g, layer_, x, states, mask))
    ends = [run.steps if there.return_sequences else run.states[0] for run in runs]
    merged = _merged(g, op.merge_mode, ends, out)
    states = [state for run in runs for state in run.states] if op.return_state else []
    return [*merged, *states] if len(merged) + len(states) > 1 else merged[0]


def _merged(g: Graph, mode: str | None, ends: list[Value], out: Spec | list[Spec]) -> list[Value]:
    if mode is None:
        return ends
    if mode == "concat":
        return [joined(g, ends, out[0] if isinstance(out, list) else out, -1)]
    total = pointwise(g, "Mul" if mode == "mul" else "Add", *ends)
    return [pointwise(g, "Mul", total, 0.5) if mode == "ave" else total]


def _run(g: Graph, op: Any, x: Value, given: Any, mask: Any) -> Run:
    kind = _NODES[type(op).__name__]
    _check(op, mask)
    x = g.turned(g.cast(x, "float32"), _TIME_FIRST)
    units = op.units
    inputs: list[Any] = [x, *_weights(g, op, kind), None]
    for state in _states(given):
        inputs.append(
            g.emit("Unsqueeze", [g.plain(state), np.array([0])], (1, None, units), "float32")
        )
    settings: dict[str, Any] = {"hidden_size": units, **_functions(op, kind)}
    if op.go_backwards:
        settings["direction"] = "reverse"
    if kind == "GRU":
        settings["linear_before_reset"] = int(op.reset_after)
    names = g.node(kind, inputs, outputs=3 if kind == "LSTM" else 2, **settings)
    shape = (x.shape[0], x.shape[1], units)
    steps = g.emit("Squeeze", [names[0], np.array([1])], shape, "float32", _TIME_FIRST)
    last = [
        g.emit("Squeeze", [name, np.array([0])], (x.shape[0], units), "float32")
        for name in names[1:]
    ]
    return Run(steps, last)


def _check(op: Any, mask: Any) -> None:
    if mask is not None:
        raise UnwrittenError("expected a recurrent layer without a mask, came one with it")
    if op.stateful:
        raise UnwrittenError("expected stateful=False, came a layer that keeps its state")


def _states(given: Any) -> list[Value]:
    if given is None:
        return []
    return list(given) if isinstance(given, list | tuple) else [given]


def _weights(g: Graph, op: Any, kind: str) -> list[str | None]:
    cell, gates = op.cell, _GATES[kind]
    count = len(gates)

    def turned(array: np.ndarray) -> np.ndarray:
        """(in, gates * units) → (1, gates * units, in) with the gates in ONNX's order."""
        by_gate = array.reshape(array.shape[0], count, -1)[:, list(gates)]
        return by_gate.reshape(array.shape[0], -1).T[None]

    def bias(array: np.ndarray) -> np.ndarray:
        """(gates * units,), or two rows of it, → (1, 2 * gates * units)."""
        rows = array if array.ndim == 2 else np.stack([array, np.zeros_like(array)])
        return rows.reshape(2, count, -1)[:, list(gates)].reshape(1, -1)

    total = count * op.units
    kernel, recurrent_kernel = cell.kernel, cell.recurrent_kernel
    return [
        g.weight("weight_ih", kernel, turned, (1, total, kernel.shape[0]), kind=kind),
        g.weight("weight_hh", recurrent_kernel, turned, (1, total, op.units), kind=kind),
        g.weight("bias", cell.bias, bias, (1, 2 * total), kind=kind) if op.use_bias else None,
    ]


def _functions(op: Any, kind: str) -> dict[str, Any]:
    inner = [] if kind == "RNN" else [op.recurrent_activation]
    wanted = [*inner, op.activation, *([op.activation] if kind == "LSTM" else [])]
    names = [getattr(function, "__name__", str(function)) for function in wanted]
    for name in names:
        if name not in _FUNCTIONS:
            raise UnwrittenError(f"expected one of {sorted(_FUNCTIONS)} in a cell, came {name}")
    found = [_FUNCTIONS[name] for name in names]
    settings: dict[str, Any] = {"activations": [entry[0] for entry in found]}
    if any(entry[1] for entry in found):
        settings["activation_alpha"] = [entry[1] for entry in found]
        settings["activation_beta"] = [entry[2] for entry in found]
    return settings


def _reversed(g: Graph, x: Value) -> Value:
    return cut(g, x, x.shape, {1: (None, None, -1)})
