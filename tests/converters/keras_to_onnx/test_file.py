"""The file: names, opset, batch, external data, and that it appears whole or not at all."""

import logging
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from keras import layers

from converters.errors import (
    ConversionError,
    MismatchError,
    MissingExtraError,
    UnsupportedError,
)
from converters.keras_to_onnx import keras_to_onnx, wire, write
from tests.converters.keras_to_onnx.nets import (
    PICTURE,
    assert_alike,
    network,
    nodes_of,
    weights_of,
    written,
)
from tests.converters.keras_to_onnx.test_layout import cnn


def masked_lstm() -> keras.Model:
    """A network that has no writer: ONNX's LSTM knows no masks."""
    return network(
        (6, "int32"),
        lambda x: layers.LSTM(3, name="last")(layers.Embedding(11, 4, mask_zero=True)(x)),
    )


def test_batch_normalization_stays_with_torchs_names(tmp_path: Path) -> None:
    model = network(PICTURE, cnn)
    proto = written(model, tmp_path / "a.onnx")
    assert nodes_of(proto)["BatchNormalization"] == 1
    bn = model.get_layer("bn1")
    weights = weights_of(proto)
    for name, variable in [
        ("weight", bn.gamma),
        ("bias", bn.beta),
        ("running_mean", bn.moving_mean),
        ("running_var", bn.moving_variance),
    ]:
        np.testing.assert_array_equal(weights[f"bn1.{name}"], np.asarray(variable))
    (node,) = [node for node in proto.graph.node if node.op_type == "BatchNormalization"]
    attributes = {a.name: a.f for a in node.attribute}
    assert attributes == pytest.approx({"epsilon": bn.epsilon, "momentum": bn.momentum})


def test_inputs_and_outputs_keep_their_names(tmp_path: Path) -> None:
    image = keras.Input(PICTURE, name="image")
    pooled = layers.GlobalAveragePooling2D()(image)
    model = keras.Model(image, {"scores": layers.Dense(3)(pooled), "embedding": pooled})
    proto = onnx.load(keras_to_onnx(model, tmp_path / "a.onnx"))
    assert [entry.name for entry in proto.graph.input] == ["image"]
    assert [entry.name for entry in proto.graph.output] == ["embedding", "scores"]


def test_an_input_that_is_also_an_output(tmp_path: Path) -> None:
    written(
        network((6,), lambda x: [x, layers.Dense(2)(x), layers.Dropout(0.1)(x)]), tmp_path / "a"
    )


@pytest.mark.parametrize("opset", [12, 22])
def test_opset_out_of_range_names_the_range(tmp_path: Path, opset: int) -> None:
    with pytest.raises(ConversionError, match=r"from 13 to 21.*came " + str(opset)):
        keras_to_onnx(network((6,), layers.Dense(2)), tmp_path / "a.onnx", opset=opset)


@pytest.mark.parametrize("opset", range(13, 22))
def test_every_opset(tmp_path: Path, opset: int) -> None:
    def body(x: Any) -> Any:
        y = layers.LayerNormalization()(cnn(x))
        return keras.ops.mean(layers.Activation("gelu")(y), axis=1)

    written(network(PICTURE, body), tmp_path / "a.onnx", opset=opset)


def test_fixed_batch(tmp_path: Path) -> None:
    path = keras_to_onnx(network(PICTURE, cnn), tmp_path / "a.onnx", batch=4)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == [4, 7, 9, 4]
    assert session.get_outputs()[0].shape == [4, 3]


def test_mixed_precision_is_written_as_float32(tmp_path: Path) -> None:
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = network(PICTURE, cnn)
    finally:
        keras.config.set_dtype_policy(policy)
    proto = onnx.load(keras_to_onnx(model, tmp_path / "a.onnx", fallback=False))
    assert {w.data_type for w in proto.graph.initializer} == {onnx.TensorProto.FLOAT}
    assert "Cast" not in nodes_of(proto)


def test_large_models_go_beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "EXTERNAL_OVER_BYTES", 1000)
    model = network(PICTURE, lambda x: layers.Dense(40)(layers.Flatten()(x)))
    path = keras_to_onnx(model, tmp_path / "a.onnx")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.onnx", "a.onnx.data"]
    assert path.stat().st_size < 1500
    onnx.checker.check_model(str(path), full_check=True)
    x = np.random.default_rng(0).normal(size=(2, *PICTURE)).astype(np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert_alike(np.asarray(model(x)), session.run(None, {session.get_inputs()[0].name: x})[0])


def test_weights_larger_than_a_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_CHUNK_BYTES", 100)
    written(network(PICTURE, cnn), tmp_path / "a.onnx")


def test_mismatch_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(b"old")
    monkeypatch.setattr(
        write, "onnx_session", lambda file: lambda fed: [np.ones((len(fed[0]), 3), np.float32)]
    )
    with pytest.raises(MismatchError, match="Nothing was written"):
        keras_to_onnx(network(PICTURE, cnn), path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.onnx"]
    assert path.read_bytes() == b"old"


def test_not_a_model(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"came builtins\.str"):
        keras_to_onnx("model.keras", tmp_path / "a.onnx")  # type: ignore[arg-type]


def test_model_that_is_not_built(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="not built"):
        keras_to_onnx(keras.Sequential([layers.Dense(2)]), tmp_path / "a.onnx")


def test_all_layers_without_a_writer_are_named_at_once(tmp_path: Path) -> None:
    def body(x: Any) -> Any:
        y = layers.ConvLSTM2D(3, 2, name="memory")(x)
        return layers.Resizing(5, 6, crop_to_aspect_ratio=True, name="crop")(y)

    model = network((5, 7, 9, 3), body)
    with pytest.raises(UnsupportedError) as caught:
        keras_to_onnx(model, tmp_path / "a.onnx", fallback=False)
    assert set(caught.value.operators) == {"ConvLSTM2D", "Resizing"}
    assert "memory" in str(caught.value)
    assert "crop" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_fallback_warns_with_the_layers_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "converters"):
        path = keras_to_onnx(masked_lstm(), tmp_path / "a.onnx")
    assert "last" in caplog.text
    assert "tf2onnx" in caplog.text
    proto = onnx.load(path)
    assert proto.opset_import[0].version == 17
    assert proto.graph.output[0].name == "last"
    assert proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_fallback_refuses_opsets_that_tf2onnx_lacks(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="at most 18"):
        keras_to_onnx(masked_lstm(), tmp_path / "a.onnx", opset=20)


@pytest.mark.parametrize(("package", "model"), [("onnx", cnn), ("tf2onnx", None)])
def test_missing_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, model: Any
) -> None:
    monkeypatch.setattr(write, "find_spec", lambda name: None if name == package else object())
    given = masked_lstm() if model is None else network(PICTURE, model)
    with pytest.raises(MissingExtraError, match=f"'{package}'.*pip install"):
        keras_to_onnx(given, tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_without_onnx_runtime_the_reference_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from converters.keras_to_onnx import run

    monkeypatch.setattr(run, "find_spec", lambda name: None)
    keras_to_onnx(network((6,), layers.Dense(2, activation="relu")), tmp_path / "a.onnx")
