"""Models inside models: their layers, what they take, and comparing them."""

import keras
import numpy as np
import pytest

import converters
from converters.errors import ConversionError
from converters.nested import graph_of, innermost, leaf_layers, packed

layers = keras.layers


@pytest.fixture(scope="module")
def body() -> keras.Model:
    """pixels (n, 6, 8, 3) → (n, 5)."""
    pixels = keras.Input((6, 8, 3), name="pixels")
    pooled = layers.GlobalAveragePooling2D(name="pool")(layers.Conv2D(5, 3, name="conv")(pixels))
    return keras.Model(pixels, pooled, name="body")


def test_layers_inside_come_in_their_place_each_once(body: keras.Model) -> None:
    whole = keras.Sequential([keras.Input((6, 8, 3)), body], name="whole")
    pixels = keras.Input((6, 8, 3))
    shared = keras.Model(pixels, layers.Dense(2, name="head")(whole(pixels) + body(pixels)))
    names = [layer.name for layer in leaf_layers(shared) if layer.weights]
    assert names == ["conv", "head"]


def test_what_makes_an_output_is_found_inside(body: keras.Model) -> None:
    pixels = keras.Input((6, 8, 3))
    outer = keras.Model(pixels, keras.Sequential([body])(pixels))
    assert innermost(outer.outputs[0])._keras_history.operation.name == "pool"


def test_a_model_that_is_code_has_no_graph() -> None:
    class Code(keras.Model):
        def call(self, x: object) -> object:
            return x

    assert graph_of(Code()) is None
    assert packed(Code(), ["one"]) == "one"
    assert packed(Code(), ["one", "two"]) == ["one", "two"]


def test_a_dictionary_is_fed_by_its_keys() -> None:
    pair = {"b": keras.Input((2,), name="b"), "a": keras.Input((3,), name="a")}
    model = keras.Model(pair, layers.Concatenate()([pair["a"], pair["b"]]))
    arrays = [np.zeros((1, *tensor.shape[1:])) for tensor in model.inputs]
    fed = packed(model, arrays)
    assert fed["a"].shape == (1, 3)
    assert fed["b"].shape == (1, 2)


def test_a_sequential_model_that_was_never_called_is_compared(body: keras.Model) -> None:
    model = keras.Sequential([keras.Input((6, 8, 3)), body])
    assert converters.compare(body, model).passed


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (converters.keras_to_tf, "folder"),
        (converters.keras_to_litert, "a.tflite"),
        (converters.keras_to_torch, "a.pt2"),
    ],
)
def test_models_that_are_code_are_refused_with_what_to_do(write, name, tmp_path) -> None:
    class Code(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.head = layers.Dense(2)

        def call(self, x: object) -> object:
            return self.head(x)

    model = Code()
    model(np.zeros((1, 3), np.float32))
    with pytest.raises(ConversionError, match=r"called from code.*keras\.Model\(x, model\(x\)\)"):
        write(model, tmp_path / name)
    assert not list(tmp_path.iterdir())
