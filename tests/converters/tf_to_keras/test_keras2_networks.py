"""Whole networks of Keras 2: nested, shared, frozen, masked, many-headed, from .h5 and .keras."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from converters.tf_to_keras.keras2 import keras2_to_keras, load
from tests.converters.tf_to_keras.keras2_nets import (
    assert_equal_answers,
    assert_round_trip,
    inputs,
    randomise,
    saved,
)

tk = pytest.importorskip("tf_keras")
tf = pytest.importorskip("tensorflow")
L = tk.layers


def mobilenet() -> Any:
    return tk.applications.MobileNetV2((64, 96, 3), alpha=0.35, weights=None, classes=7)


def efficientnet() -> Any:
    return tk.applications.EfficientNetB0(input_shape=(48, 64, 3), weights=None, classes=5)


def mobilenet_v3() -> Any:
    return tk.applications.MobileNetV3Small((64, 96, 3), weights=None, classes=5)


def encoder(name: str = "encoder") -> Any:
    given = L.Input((8, 9, 3))
    x = L.Conv2D(4, 3, activation="relu", name="c")(given)
    x = L.BatchNormalization(name="b")(x)
    y = L.Conv2D(4, 3, name="c2")(x)
    y = L.BatchNormalization(name="b2")(y)
    return tk.Model(given, [L.GlobalMaxPooling2D()(x), L.GlobalMaxPooling2D()(y)], name=name)


def part_frozen() -> Any:
    inner = encoder()
    given = L.Input((8, 9, 3))
    model = tk.Model(given, L.Dense(3)(L.Add()(inner(given, training=False))))
    inner.layers[1].trainable = False
    inner.get_layer("b2").trainable = False
    return model


def all_frozen() -> Any:
    inner = encoder()
    given = L.Input((8, 9, 3))
    model = tk.Model(given, L.Dense(3)(L.Add()(inner(given))))
    inner.trainable = False
    return model


def siamese() -> Any:
    inner = encoder()
    one, two = L.Input((8, 9, 3)), L.Input((8, 9, 3))
    first, second = inner(one)[1], inner(two)[1]
    shared = L.Dense(5, name="shared")
    joined = L.Concatenate()([shared(first), shared(second), tf.maximum(first, second)])
    return tk.Model([one, two], [L.Dense(2)(joined), shared(second)])


def twins_of_one_name() -> Any:
    given = L.Input((8, 9, 3))
    halves = [encoder("left")(given)[0], encoder("right")(given)[1]]
    return tk.Model(given, L.Concatenate()(halves))


def sequential() -> Any:
    return tk.Sequential(
        [
            L.Conv2D(4, (3, 2), activation="relu", input_shape=(8, 9, 3)),
            tk.Sequential([L.BatchNormalization(), L.MaxPooling2D()]),
            L.Flatten(),
            L.Dense(3, activation="softmax"),
        ]
    )


def built_late() -> Any:
    model = tk.Sequential([L.Dense(4, activation="relu"), L.Dense(3)])
    model.build((None, 5))
    return model


def nested_without_input() -> Any:
    inner = tk.Sequential([L.Dense(4, activation="relu"), L.BatchNormalization(), L.Dense(3)])
    given = L.Input((5,))
    return tk.Model(given, inner(given) * inner(given + 1.0))


def dictionaries() -> Any:
    one, two = L.Input((5,), name="b"), L.Input((5,), name="a")
    inner = tk.Model({"x": one, "y": two}, {"u": L.Dense(2)(one), "t": L.Dense(3)(two)})
    first, second = L.Input((5,), name="q"), L.Input((5,), name="p")
    made = inner({"x": first, "y": second})
    return tk.Model([first, second], [made["u"], made["t"]])


def text() -> Any:
    given = L.Input((9,), dtype="int32")
    x = L.Embedding(20, 6, mask_zero=True)(given)
    x = L.Bidirectional(L.LSTM(4, return_sequences=True))(x)
    x = L.GRU(4, return_sequences=True)(x)
    x = L.GlobalAveragePooling1D()(L.LayerNormalization()(x))
    return tk.Model(given, L.Dense(3, activation="softmax")(x))


def translation() -> Any:
    source, target = L.Input((9,), dtype="int32"), L.Input((5,), dtype="int32")
    embed = L.Embedding(20, 6, mask_zero=True)
    _, hidden, carried = L.LSTM(4, return_state=True)(embed(source))
    _, forward, backward = L.Bidirectional(L.GRU(2, return_state=True))(embed(source))
    y = L.LSTM(4, return_sequences=True)(embed(target), initial_state=[hidden, carried])
    z = L.Bidirectional(L.GRU(2, return_sequences=True))(
        embed(target), initial_state=[forward, backward]
    )
    x = L.Attention()([y, z])
    return tk.Model([source, target], L.TimeDistributed(L.Dense(3, activation="softmax"))(x))


def transformer() -> Any:
    given = L.Input((9,), dtype="int32")
    x = words = L.Embedding(20, 8, mask_zero=True)(given)
    for causal in (False, True):
        seen = L.MultiHeadAttention(2, 4)(x, words, use_causal_mask=causal)
        x = L.LayerNormalization(epsilon=1e-6)(x + seen)
        x = L.LayerNormalization()(L.Add()([x, L.Dense(8, activation="gelu")(x)]))
    return tk.Model(given, [L.GlobalAveragePooling1D()(x), L.LSTM(3)(words)])


SMALL: tuple[Callable[[], Any], ...] = (
    part_frozen,
    all_frozen,
    siamese,
    twins_of_one_name,
    sequential,
    built_late,
    nested_without_input,
    dictionaries,
    text,
    translation,
    transformer,
)


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("make", SMALL)
def test_network_answers_as_in_keras_2(
    make: Callable[[], Any], suffix: str, tmp_path: Path
) -> None:
    source = randomise(make())
    model = keras2_to_keras(saved(source, tmp_path, suffix))
    assert_equal_answers(source, model)
    assert_round_trip(model, inputs(source), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("make", [mobilenet, efficientnet, mobilenet_v3])
def test_application_answers_as_in_keras_2(
    make: Callable[[], Any], suffix: str, tmp_path: Path
) -> None:
    source = randomise(make())
    model = keras2_to_keras(saved(source, tmp_path, suffix))
    assert_equal_answers(source, model)
    assert_round_trip(model, inputs(source), tmp_path)
    names = {layer.name for layer in model.layers}
    assert {layer.name.replace("/", "_") for layer in source.layers if layer.weights} <= names


@pytest.mark.slow
def test_convnext_scales_and_drops_by_built_in_layers(tmp_path: Path) -> None:
    source = randomise(tk.applications.ConvNeXtTiny(input_shape=(64, 32, 3), weights=None))
    model = keras2_to_keras(saved(source, tmp_path, ".h5"))
    assert_equal_answers(source, model)
    assert_round_trip(model, inputs(source), tmp_path)


def test_nested_models_are_laid_out_flat_and_shared_layers_once(tmp_path: Path) -> None:
    model, found = load(saved(randomise(siamese()), tmp_path, ".h5"))
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    assert [layer.name for layer in model.layers].count("c") == 1
    assert found.source_names["c2"] == "encoder/c2"


def test_names_taken_twice_get_the_way_to_them(tmp_path: Path) -> None:
    model, found = load(saved(randomise(twins_of_one_name()), tmp_path, ".h5"))
    assert {found.source_names[name] for name in ("c", "right_c")} == {"left/c", "right/c"}
    assert len({operation.name for operation in model.operations}) == len(model.operations)


def test_fixed_training_mode_is_told(tmp_path: Path) -> None:
    _, found = load(saved(randomise(part_frozen()), tmp_path, ".h5"))
    assert [warning.split(":")[0] for warning in found.warnings] == ["encoder"]


def test_attention_with_dropout_on_padded_steps_is_told(tmp_path: Path) -> None:
    given = L.Input((9,), dtype="int32")
    x = L.Embedding(20, 8, mask_zero=True)(given)
    x = L.MultiHeadAttention(2, 4, dropout=0.1, name="heads")(x, x)
    source = randomise(tk.Model(given, L.GlobalAveragePooling1D()(x)))
    model, found = load(saved(source, tmp_path, ".h5"))
    assert_equal_answers(source, model)  # the padded steps are masked out again
    assert [warning.split(":")[0] for warning in found.warnings] == ["heads"]


def test_half_precision_network_comes_in_float32(tmp_path: Path) -> None:
    policy = tk.mixed_precision.Policy("mixed_float16")
    given = L.Input((5,))
    x = L.Dense(4, activation="relu", dtype=policy)(given)
    source = randomise(tk.Model(given, L.Dense(3, dtype="float64")(x)))
    for suffix in (".h5", ".keras"):
        model = keras2_to_keras(saved(source, tmp_path, suffix))
        assert {str(weight.dtype) for weight in model.weights} == {"float32"}
        assert_equal_answers(source, model, tolerance=5e-3)


def test_fine_tuning_changes_the_imported_weights(tmp_path: Path) -> None:
    source = randomise(sequential())
    model = keras2_to_keras(saved(source, tmp_path, ".h5"))
    before = [np.array(weight) for weight in model.trainable_weights]
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(inputs(source), np.array([0, 1, 2]), epochs=1, verbose=0)
    after = [np.array(weight) for weight in model.trainable_weights]
    assert all(np.any(old != new) for old, new in zip(before, after, strict=True))
