"""A classifier with its score as a column, whatever its layers are called."""

import keras
import numpy as np

from tlkeras.heads.unknown import UnknownScore
from tlkeras.tasks.network.columns import apart, with_score


def _upcoming(layer: keras.Layer) -> str:
    """The name that Keras gives to the next layer of this kind."""
    kind, _, number = layer.name.rpartition("_")
    return f"{kind}_{int(number) + 1}" if number.isdigit() else f"{layer.name}_1"


def test_a_layer_may_have_the_name_that_keras_gives_next() -> None:
    # Its counting begins anew with keras.backend.clear_session, and models stay.
    names = [_upcoming(keras.layers.Dense(1)), _upcoming(keras.layers.Flatten())]
    names.append(_upcoming(keras.layers.Concatenate()))
    image = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(1 / 255, name=names[2])(image)
    x = keras.layers.GlobalAveragePooling2D(name="embedding")(x)
    x = keras.layers.Activation("linear", name=names[1])(x)
    model = keras.Model(image, keras.layers.Dense(4, activation="softmax", name=names[0])(x))

    kernel = np.random.default_rng(0).normal(size=(3, 2)).astype("float32")
    unknown = UnknownScore(kernel, 1.5, false_alarms=0.05, rows=40)
    pixels = np.random.default_rng(1).integers(0, 256, (5, 8, 9, 3)).astype("float32")
    table = np.asarray(with_score(model, unknown)(pixels))
    probabilities, scores = apart(table, 4)
    np.testing.assert_array_equal(probabilities, np.asarray(model(pixels)))
    vectors = (pixels / 255).mean((1, 2))
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(scores, 1.5 - (directions @ kernel).max(1), atol=1e-5)
