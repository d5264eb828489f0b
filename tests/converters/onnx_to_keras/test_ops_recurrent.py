"""LSTM, GRU and RNN against ONNX Runtime, as Keras layers with their own weights."""

import keras
import numpy as np
import pytest

from converters.errors import NodeError
from tests.converters.onnx_to_keras.one_node import Imported, imported, one_node

TIME, FEATURES, UNITS = 5, 4, 3
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
LAYERS = {
    "LSTM": keras.layers.LSTM,
    "GRU": keras.layers.GRU,
    "RNN": keras.layers.SimpleRNN,
}


def recurrent(
    op: str,
    direction: str = "forward",
    *,
    states: tuple[str, ...] = (),
    bias: bool = True,
    **attributes: object,
) -> Imported:
    """`states`: "given" ones are inputs, "stored" ones are in the file, "" are left out."""
    rng = np.random.default_rng(4)
    directions, gates = 2 if direction == "bidirectional" else 1, GATES[op]
    shapes = {
        "rnn.weight_ih": (directions, gates * UNITS, FEATURES),
        "rnn.weight_hh": (directions, gates * UNITS, UNITS),
        "rnn.bias": (directions, 2 * gates * UNITS),
    }
    held = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    inputs: list[object] = [(TIME, "N", FEATURES), *list(held)[:2], "rnn.bias" if bias else None]
    if not bias:
        del held["rnn.bias"]
    if states:
        inputs.append(None)
    for number, state in enumerate(states):
        if state == "stored":
            held[f"state{number}"] = np.zeros((directions, 1, UNITS), np.float32)
        given = (directions, "N", UNITS)
        inputs.append({"given": given, "stored": f"state{number}", "": None}[state])
    outputs = 3 if op == "LSTM" else 2
    proto = one_node(
        op, inputs, held, outputs, swap=True, hidden_size=UNITS, direction=direction, **attributes
    )
    return imported(proto)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("op", ["LSTM", "GRU", "RNN"])
def test_directions(op: str, direction: str) -> None:
    found = recurrent(op, direction)
    assert found.difference < 2e-6
    layers = found.layers(LAYERS[op])
    assert len(layers) == (2 if direction == "bidirectional" else 1)
    assert all(layer.name.startswith("rnn") for layer in layers)
    assert len(found.model.trainable_weights) == 3 * len(layers)


@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
@pytest.mark.parametrize("op", ["LSTM", "GRU", "RNN"])
def test_first_states(op: str, direction: str) -> None:
    states = ("given", "given") if op == "LSTM" else ("given",)
    assert recurrent(op, direction, states=states).difference < 2e-6


def test_one_of_two_first_states() -> None:
    assert recurrent("LSTM", states=("", "given")).difference < 2e-6


def test_without_bias() -> None:
    assert recurrent("LSTM", bias=False).difference < 2e-6


@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_reset_before_or_after(direction: str) -> None:
    found = recurrent("GRU", direction, linear_before_reset=1)
    assert found.difference < 2e-6
    assert all(layer.reset_after for layer in found.layers(keras.layers.GRU))


def test_other_activations() -> None:
    found = recurrent("LSTM", activations=["Sigmoid", "Relu", "Relu"])
    assert found.difference < 2e-6
    assert recurrent("RNN", activations=["Relu"]).difference < 2e-6


@pytest.mark.parametrize(
    "attributes",
    [
        {"clip": 1.0},
        {"activations": ["Sigmoid", "Tanh", "Relu"]},
        {"activations": ["HardSigmoid", "Tanh", "Tanh"]},
        {"input_forget": 1},
    ],
)
def test_what_keras_has_no_layer_for_is_refused(attributes: dict[str, object]) -> None:
    with pytest.raises(NodeError, match="default options"):
        recurrent("LSTM", **attributes)


def test_sequences_of_several_lengths_are_refused() -> None:
    rng = np.random.default_rng(0)
    held = {
        "w": rng.normal(size=(1, 12, FEATURES)).astype(np.float32),
        "r": rng.normal(size=(1, 12, UNITS)).astype(np.float32),
        "lengths": np.array([5, 3], np.int32),
    }
    proto = one_node(
        "LSTM",
        [(TIME, "N", FEATURES), "w", "r", None, "lengths"],
        held,
        swap=True,
        hidden_size=UNITS,
    )
    with pytest.raises(NodeError, match="sequence_lens"):
        imported(proto)
