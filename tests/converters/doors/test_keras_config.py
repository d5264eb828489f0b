import json
from typing import Any

import keras
import pytest
from keras import layers

from converters.doors.keras_config import refused_objects


def written(module: str | None, kind: str, **more: object) -> dict[str, Any]:
    return {"module": module, "class_name": kind, "config": {"name": "n"}, **more}


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (written("keras.layers", "Lambda"), "Lambda n"),
        ({"class_name": "__lambda__", "config": {"value": "…"}}, "__lambda__"),
        (written("keras.layers", "TFSMLayer"), "TFSMLayer n"),
        (written("keras.layers", "TorchModuleWrapper"), "TorchModuleWrapper n"),
        (written("subprocess", "Popen"), "Popen n of subprocess"),
        (written("keras.src.utils.file_utils", "File"), "File n of keras.src.utils.file_utils"),
        (written("keras.utils", "function"), "function n of keras.utils"),
        (written("keras", "get_file"), "get_file n of keras"),
        (written("keras.applications", "function"), "function n of keras.applications"),
        (written("kerasx.layers", "Dense"), "Dense n of kerasx.layers"),
        (written("builtins", "function"), "function n"),
        (written(None, "Mine"), "Mine n"),
        (written("keras.layers", "Dense", registered_name="evil>Dense"), "Dense n"),
        ({"module": "keras.layers", "class_name": ["Dense"], "config": {}}, "['Dense']"),
    ],
)
def test_what_is_not_keras_own_is_refused_wherever_it_stands(
    entry: dict[str, Any], told: str
) -> None:
    for config in (entry, [entry], {"layers": [{"config": {"activation": entry}}]}):
        assert refused_objects(config) == (told,)


def test_vocabulary_in_a_file_is_refused() -> None:
    entry = written("keras.layers", "StringLookup")
    entry["config"]["vocabulary"] = "/etc/passwd"
    assert "another file" in refused_objects(entry)[0]
    entry["config"]["vocabulary"] = ["a", "b"]
    assert refused_objects(entry) == ()


def test_how_a_model_was_compiled_is_not_looked_at() -> None:
    own_loss = written("builtins", "function")
    assert refused_objects({"layers": [], "compile_config": {"loss": own_loss}}) == ()


def network() -> keras.Model:
    image = keras.Input((None, None, 3))
    x = layers.RandomFlip()(image)
    x = layers.Rescaling(1 / 127.5, offset=-1)(x)
    x = layers.Conv2D(4, 3, activation="relu", kernel_regularizer=keras.regularizers.L2(1e-4))(x)
    x = layers.BatchNormalization(gamma_constraint=keras.constraints.NonNeg())(x)
    x = layers.Activation(keras.activations.gelu, dtype="mixed_float16")(x)
    x = keras.ops.mean(x, axis=(1, 2)) * 2
    x = keras.Sequential([keras.Input((4,)), layers.Dense(3)], name="inner")(x)
    x = layers.TimeDistributed(layers.Dense(2))(layers.Reshape((3, 1))(x))
    x = layers.Bidirectional(layers.LSTM(2))(x)
    return keras.Model(image, layers.Dense(2, "softmax")(x))


def test_what_keras_writes_itself_is_let_through() -> None:
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(network())))
    assert refused_objects(config) == ()
    assert refused_objects(json.loads(network().to_json())) == ()
