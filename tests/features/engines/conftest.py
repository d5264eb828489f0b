"""A small network with every kind of trained number in it, and its files."""

from pathlib import Path

import numpy as np
import pytest

SIDE = 24


@pytest.fixture(scope="session")
def network() -> object:
    """Pixels (n, any, any, 3) → (n, 10): normalised, depthwise and padded, trained-looking."""
    import keras

    layers = keras.layers
    image = keras.Input((None, None, 3), name="image")
    x = layers.Resizing(SIDE, SIDE, antialias=True, name="resize")(image, training=False)
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(x)
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D((3, 5), padding="same", use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.BatchNormalization()(layers.Conv2D(10, 1, use_bias=False)(x))
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, layers.Activation("linear", name="embedding")(x), name="small")
    rng = np.random.default_rng(7)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            channels = layer.gamma.shape[0]
            scale, variance = rng.uniform(0.5, 1.5, (2, channels))
            shift, mean = rng.normal(0, 0.3, (2, channels))
            layer.set_weights([scale, shift, mean, variance])
        else:
            layer.set_weights([rng.normal(0, 0.4, w.shape) for w in layer.get_weights()])
    return model


@pytest.fixture(scope="session")
def pictures() -> np.ndarray:
    """(11, 24, 24, 3) float32 in [0, 255]: more than a batch, and not a multiple of one."""
    rng = np.random.default_rng(3)
    return rng.uniform(0, 255, (11, SIDE, SIDE, 3)).astype(np.float32)


@pytest.fixture(scope="session")
def embeddings(network: object, pictures: np.ndarray) -> np.ndarray:
    """What Keras gives for the pictures, (11, 10)."""
    return network.predict(pictures, verbose=0)  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def onnx_file(network: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnx")
    from converters import keras_to_onnx
    from tlkeras.features.engines.trunk import trunk

    file = tmp_path_factory.mktemp("onnx") / "small.onnx"
    return keras_to_onnx(trunk(network, SIDE), file)


@pytest.fixture(scope="session")
def tflite_file(network: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("ai_edge_litert")
    from converters import keras_to_litert
    from tlkeras.features.engines.trunk import trunk

    file = tmp_path_factory.mktemp("litert") / "small.tflite"
    return keras_to_litert(trunk(network, SIDE), file)
