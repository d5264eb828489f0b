"""Keras 1 configs and arrays, CuDNN layers, and weights that come without a network."""

from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from converters.errors import ArchitectureNeededError, ReadError
from converters.tf_to_keras import tf_to_keras
from converters.tf_to_keras.keras2.build import build
from converters.tf_to_keras.keras2.old_arrays import modern
from converters.tf_to_keras.keras2.parse import parse
from tests.converters.tf_to_keras.keras2_nets import inputs, randomise, saved

tk = pytest.importorskip("tf_keras")
rng = np.random.default_rng(0)


def layer(class_name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": {"name": class_name.lower(), **config}}


KERAS_1 = [
    layer(
        "Convolution2D", batch_input_shape=[None, 9, 8, 3], nb_filter=4, nb_row=3, nb_col=2,
        subsample=[2, 1], border_mode="same", dim_ordering="tf", bias=False, init="glorot_uniform",
        activation="relu", W_regularizer=None, input_dtype="float32",
    ),
    layer("BatchNormalization", mode=0, axis=-1, momentum=0.9, epsilon=1e-5, gamma_init="one"),
    layer("MaxPooling2D", pool_size=[2, 2], strides=[2, 2], border_mode="valid", dim_ordering="tf"),
    layer("Dropout", p=0.25),
    layer("Flatten"),
    layer("Dense", output_dim=5, init="uniform", bias=True, activation="hard_sigmoid",
          input_dim=None, W_constraint=None),
]  # fmt: skip


def test_keras_1_config_is_said_in_keras_3() -> None:
    config = [{**one, "config": dict(one["config"])} for one in KERAS_1]
    model, _ = build(parse({"class_name": "Sequential", "config": config}), 10_000)
    conv, norm, pool, drop, dense = (model.get_layer(name) for name in (
        "convolution2d", "batchnormalization", "maxpooling2d", "dropout", "dense"))  # fmt: skip
    assert (conv.kernel_size, conv.strides, conv.padding) == ((3, 2), (2, 1), "same")
    assert (conv.use_bias, conv.filters, norm.epsilon, norm.momentum) == (False, 4, 1e-5, 0.9)
    assert (pool.padding, drop.rate, dense.units) == ("valid", 0.25, 5)
    x = rng.normal(size=(3, 9, 8, 3)).astype(np.float32)
    randomise(model)
    flat = keras.Model(model.input, dense.input)(x, training=False)
    wanted = np.clip(0.2 * (flat @ dense.kernel + dense.bias) + 0.5, 0, 1)
    np.testing.assert_allclose(model(x, training=False), wanted, atol=1e-6)


def test_keras_1_merge_becomes_its_layer() -> None:
    names = {"sum": "Add", "concat": "Concatenate", "mul": "Multiply", "cos": "Dot"}
    for mode, wanted in names.items():
        layers = [
            {"class_name": "InputLayer", "name": key, "inbound_nodes": [],
             "config": {"name": key, "batch_input_shape": [None, 4]}} for key in "ab"
        ]  # fmt: skip
        calls = [[["a", 0, 0], ["b", 0, 0]]]
        merge = {"class_name": "Merge", "name": "m", "inbound_nodes": calls,
                 "config": {"name": "m", "mode": mode, "concat_axis": -1,
                            "dot_axes": -1}}  # fmt: skip
        config = {"layers": [*layers, merge], "input_layers": [["a", 0, 0], ["b", 0, 0]],
                  "output_layers": [["m", 0, 0]], "name": "net"}  # fmt: skip
        model, _ = build(parse({"class_name": "Model", "config": config}), 0)
        assert type(model.get_layer("m")).__name__ == wanted


ARRAYS_1 = {
    "LSTM": (12, lambda: tk.layers.LSTM(3), lambda: keras.layers.LSTM(3)),
    "GRU": (
        9,
        lambda: tk.layers.GRU(3, reset_after=False),
        lambda: keras.layers.GRU(3, reset_after=False),
    ),
}


@pytest.mark.parametrize("kind", ARRAYS_1)
def test_keras_1_gates_are_joined_as_keras_2_did(kind: str) -> None:
    from tf_keras.src.saving.legacy.hdf5_format import preprocess_weights_for_loading

    count, theirs, ours = ARRAYS_1[kind]
    shapes = [(4, 3), (3, 3), (3,)] * (count // 3)
    arrays = [rng.normal(size=shape) for shape in shapes]
    old, new = theirs(), ours()
    old.build((None, 6, 4))
    new.build((None, 6, 4))
    wanted = preprocess_weights_for_loading(old, list(arrays), "1", "tensorflow")
    for want, have in zip(wanted, modern(new, list(arrays), "1"), strict=True):
        np.testing.assert_array_equal(want, have)


def test_keras_1_convolutions_are_turned_as_keras_2_did() -> None:
    from tf_keras.src.saving.legacy.hdf5_format import preprocess_weights_for_loading

    cases = [
        (tk.layers.Conv1D(5, 3), keras.layers.Conv1D(5, 3), (None, 6, 4), (3, 1, 4, 5)),
        (tk.layers.Conv1D(5, 3), keras.layers.Conv1D(5, 3), (None, 6, 4), (5, 4, 3, 1)),
        (tk.layers.Conv2DTranspose(5, 3), keras.layers.Conv2DTranspose(5, 3), (None, 6, 7, 4),
         (3, 3, 4, 5)),
    ]  # fmt: skip
    for old, new, shape, stored in cases:
        old.build(shape)
        new.build(shape)
        arrays = [rng.normal(size=stored), rng.normal(size=5)]
        wanted = preprocess_weights_for_loading(old, list(arrays), "1", "tensorflow")
        for want, have in zip(wanted, modern(new, list(arrays), "1"), strict=True):
            np.testing.assert_array_equal(want, have)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_cudnn_arrays_are_turned_as_keras_2_did(kind: str) -> None:
    from tf_keras.src.saving.legacy.hdf5_format import preprocess_weights_for_loading

    gates = {"LSTM": 4, "GRU": 3}[kind]
    shapes = [(4, 3 * gates), (3, 3 * gates), (6 * gates,)]
    arrays = [rng.normal(size=shape) for shape in shapes]
    old, new = getattr(tk.layers, kind)(3), getattr(keras.layers, kind)(3)
    old.build((None, 6, 4))
    new.build((None, 6, 4))
    wanted = preprocess_weights_for_loading(old, list(arrays), "2", "tensorflow")
    for want, have in zip(wanted, modern(new, list(arrays), "2"), strict=True):
        np.testing.assert_allclose(want, have)


def test_cudnn_layer_is_the_plain_layer() -> None:
    cudnn = layer("CuDNNGRU", batch_input_shape=[None, 6, 4], units=3, return_sequences=True)
    model, _ = build(parse({"class_name": "Sequential", "config": [cudnn]}), 1000)
    made = model.layers[-1]
    assert isinstance(made, keras.layers.GRU)
    assert made.reset_after
    assert made.recurrent_activation is keras.activations.sigmoid


def fire(x: Any, name: str, squeeze: int, expand: int) -> Any:
    x = keras.layers.Conv2D(squeeze, 1, activation="relu", name=f"{name}_squeeze1x1")(x)
    one = keras.layers.Conv2D(expand, 1, activation="relu", name=f"{name}_expand1x1")(x)
    three = keras.layers.Conv2D(
        expand, 3, padding="same", activation="relu", name=f"{name}_expand3x3"
    )(x)
    return keras.layers.Concatenate(name=f"{name}_concat")([one, three])


def squeezenet() -> keras.Model:
    given = keras.Input((224, 224, 3))
    x = keras.layers.Conv2D(64, 3, strides=2, activation="relu", name="conv1")(given)
    x = keras.layers.MaxPooling2D(3, 2, name="pool1")(x)
    x = fire(fire(x, "fire2", 16, 64), "fire3", 16, 64)
    x = keras.layers.MaxPooling2D(3, 2, name="pool3")(x)
    x = fire(fire(x, "fire4", 32, 128), "fire5", 32, 128)
    x = keras.layers.MaxPooling2D(3, 2, name="pool5")(x)
    x = fire(fire(x, "fire6", 48, 192), "fire7", 48, 192)
    x = fire(fire(x, "fire8", 64, 256), "fire9", 64, 256)
    return keras.Model(given, keras.layers.GlobalAveragePooling2D()(x))


def arrays_of(path: Path) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: found.append(item[()]) if isinstance(item, h5py.Dataset) else None
        )
    return found


def same_arrays(one: list[np.ndarray], two: list[np.ndarray]) -> bool:
    def digest(arrays: list[np.ndarray]) -> list[bytes]:
        return sorted(array.astype(np.float32).tobytes() for array in arrays if array.size > 1)

    return digest(one) == digest(two)


def test_real_keras_1_weights_fill_their_network(shared_data: Path) -> None:
    folder = shared_data / "weights"
    path = folder / "original_h5" / "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"
    model = tf_to_keras(path, architecture=squeezenet())
    again = squeezenet()
    again.load_weights(folder / "keras" / "squeezenet1.1_notop.weights.h5")
    for one, two in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_real_keras_2_weights_fill_their_network(shared_data: Path) -> None:
    path = shared_data / "weights" / "original_h5" / "mobilenet_2_5_224_tf_no_top.h5"
    network = keras.applications.MobileNet((224, 224, 3), 0.25, include_top=False, weights=None)
    model = tf_to_keras(path, architecture=network)
    with h5py.File(path) as file:
        stored = file["conv_dw_3/conv_dw_3/depthwise_kernel:0"][()]
    np.testing.assert_array_equal(model.get_layer("conv_dw_3").get_weights()[0], stored)
    kept = shared_data / "weights" / "keras" / "mobilenet_0.25_224_notop.weights.h5"
    assert same_arrays(model.get_weights(), arrays_of(kept))
    with pytest.raises(ArchitectureNeededError, match="architecture="):
        tf_to_keras(path)


def small(names: tuple[str, str, str] = ("one", "two", "three")) -> Any:
    given = tk.Input((6,))
    x = tk.layers.Dense(4, name=names[0])(given)
    x = tk.layers.BatchNormalization(name=names[1])(x)
    return tk.Model(given, tk.layers.Dense(3, name=names[2])(x))


def small_in_keras_3(names: tuple[str, str, str] = ("one", "two", "three")) -> keras.Model:
    given = keras.Input((6,))
    x = keras.layers.Dense(4, name=names[0])(given)
    x = keras.layers.BatchNormalization(name=names[1])(x)
    return keras.Model(given, keras.layers.Dense(3, name=names[2])(x))


@pytest.mark.parametrize("names", [("one", "two", "three"), ("a", "b", "c")])
def test_weights_alone_go_by_name_else_in_order(
    names: tuple[str, str, str], tmp_path: Path
) -> None:
    source = randomise(small())
    source.save_weights(tmp_path / "only.h5")
    model = tf_to_keras(tmp_path / "only.h5", architecture=small_in_keras_3(names))
    given = inputs(source)
    np.testing.assert_allclose(
        source(given, training=False), model(given, training=False), atol=1e-6
    )


def test_weights_of_another_network_change_nothing(tmp_path: Path) -> None:
    randomise(small()).save_weights(tmp_path / "only.h5")
    given = keras.Input((6,))
    x = keras.layers.BatchNormalization(name="two")(keras.layers.Dense(4, name="one")(given))
    other = keras.Model(given, keras.layers.Dense(2, name="three")(x))
    before = other.get_weights()
    with pytest.raises(ReadError, match="layer 'three'"):
        tf_to_keras(tmp_path / "only.h5", architecture=other)
    for old, new in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_weights_of_keras_3_fill_an_architecture(tmp_path: Path) -> None:
    source = small_in_keras_3()
    source.save_weights(tmp_path / "net.weights.h5")
    model = tf_to_keras(tmp_path / "net.weights.h5", architecture=small_in_keras_3())
    np.testing.assert_array_equal(source.get_layer("one").kernel, model.get_layer("one").kernel)
    with pytest.raises(ArchitectureNeededError):
        tf_to_keras(tmp_path / "net.weights.h5")


def test_whole_network_of_keras_3_is_loaded_by_keras(tmp_path: Path) -> None:
    source = small_in_keras_3()
    source.save(tmp_path / "net.keras")
    np.testing.assert_array_equal(
        source.get_layer("one").kernel, tf_to_keras(tmp_path / "net.keras").get_layer("one").kernel
    )


def test_keras_2_network_is_told_by_its_content(tmp_path: Path) -> None:
    source = randomise(small())
    path = saved(source, tmp_path, ".h5").rename(tmp_path / "network.model")
    given = inputs(source)
    np.testing.assert_allclose(
        source(given, training=False), tf_to_keras(path)(given, training=False), atol=1e-6
    )
