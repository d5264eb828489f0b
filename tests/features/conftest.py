import numpy as np
import pytest


@pytest.fixture(scope="session")
def tiny_backbone() -> object:
    """Pixels (n, any, any, 3) → embedding (n, 6), weights that spread the pictures."""
    import keras

    image = keras.Input((None, None, 3), name="image")
    out = keras.layers.Resizing(24, 24, antialias=True, name="resize")(image)
    out = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(out)
    out = keras.layers.Conv2D(6, 5, strides=3, activation="relu", name="conv")(out)
    out = keras.layers.GlobalAveragePooling2D(name="pool")(out)
    out = keras.layers.Activation("linear", dtype="float32", name="embedding")(out)
    model = keras.Model(image, out)
    rng = np.random.default_rng(4)
    conv = model.get_layer("conv")
    conv.set_weights([rng.normal(0, 0.3, value.shape) for value in conv.get_weights()])
    return model
