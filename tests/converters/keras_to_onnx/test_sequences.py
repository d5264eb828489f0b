"""Recurrent layers, attention and masks against ONNX Runtime."""

from pathlib import Path
from typing import Any

import pytest
from keras import layers

from tests.converters.keras_to_onnx.nets import network, nodes_of, written

CELLS = [layers.LSTM, layers.GRU, layers.SimpleRNN]
STEPS = (6, 4)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"return_sequences": True},
        {"return_sequences": True, "go_backwards": True},
        {"return_sequences": True, "return_state": True},
        {"use_bias": False, "activation": "relu"},
    ],
)
def test_recurrent(tmp_path: Path, cell: Any, settings: dict[str, Any]) -> None:
    written(network(STEPS, cell(5, **settings)), tmp_path / "a.onnx")


@pytest.mark.parametrize("cell", CELLS)
def test_initial_state(tmp_path: Path, cell: Any) -> None:
    states = [(5,)] * (2 if cell is layers.LSTM else 1)
    model = network([STEPS, *states], lambda x, *s: cell(5)(x, initial_state=list(s)))
    written(model, tmp_path / "a.onnx")


def test_gru_that_resets_before(tmp_path: Path) -> None:
    written(network(STEPS, layers.GRU(5, reset_after=False)), tmp_path / "a.onnx")


def test_stacked_lstms_of_open_length_need_one_transpose(tmp_path: Path) -> None:
    model = network((None, 4), lambda x: layers.LSTM(3)(layers.LSTM(5, return_sequences=True)(x)))
    assert nodes_of(written(model, tmp_path / "a.onnx"))["Transpose"] == 1


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("mode", ["concat", "sum", "mul", "ave", None])
@pytest.mark.parametrize("sequences", [True, False])
def test_bidirectional(tmp_path: Path, cell: Any, mode: str | None, sequences: bool) -> None:
    layer = layers.Bidirectional(cell(5, return_sequences=sequences), merge_mode=mode)
    written(network(STEPS, layer), tmp_path / "a.onnx")


@pytest.mark.parametrize(
    ("settings", "call"),
    [
        ({}, {}),
        ({"value_dim": 5, "dropout": 0.1}, {"return_attention_scores": True}),
        ({"use_bias": False, "use_gate": True}, {}),
        ({}, {"use_causal_mask": True}),
        ({"sliding_window": 2}, {}),
    ],
)
def test_self_attention(tmp_path: Path, settings: dict[str, Any], call: dict[str, Any]) -> None:
    layer = layers.MultiHeadAttention(2, 3, **settings)
    written(network((6, 8), lambda x: layer(x, x, **call)), tmp_path / "a.onnx")


def test_cross_attention_with_a_mask(tmp_path: Path) -> None:
    layer = layers.MultiHeadAttention(2, 3)
    inputs = [(6, 8), (5, 8), (6, 5, "bool")]
    model = network(inputs, lambda a, b, m: layer(a, b, attention_mask=m))
    written(model, tmp_path / "a.onnx")


def test_causal_attention_of_open_length(tmp_path: Path) -> None:
    layer = layers.MultiHeadAttention(2, 3)
    written(network((None, 8), lambda x: layer(x, x, use_causal_mask=True)), tmp_path / "a.onnx")


@pytest.mark.parametrize(
    "layer", [layers.GroupQueryAttention(3, 4, 2), lambda a, b: layers.Attention(True)([a, b])]
)
def test_other_attention(tmp_path: Path, layer: Any) -> None:
    written(network([(6, 8), (5, 8)], lambda a, b: layer(a, b)), tmp_path / "a.onnx")


MASKED: dict[str, Any] = {
    "mean": lambda e: layers.GlobalAveragePooling1D()(layers.Dropout(0.1)(e)),
    "attention": lambda e: layers.MultiHeadAttention(2, 3)(e, e),
    "block": lambda e: layers.GlobalAveragePooling1D()(
        layers.LayerNormalization()(e + layers.MultiHeadAttention(2, 3)(e, e))
    ),
    "dot": lambda e: layers.Attention()([e, e]),
}


@pytest.mark.parametrize("name", MASKED)
def test_mask_of_an_embedding_reaches_what_uses_it(tmp_path: Path, name: str) -> None:
    model = network(
        (9, "int32"), lambda x: MASKED[name](layers.Embedding(11, 4, mask_zero=True)(x))
    )
    written(model, tmp_path / "a.onnx")


def test_masking_layer(tmp_path: Path) -> None:
    model = network(
        STEPS, lambda x: layers.GlobalAveragePooling1D()(layers.Masking(0.0)(layers.ReLU()(x)))
    )
    written(model, tmp_path / "a.onnx")
