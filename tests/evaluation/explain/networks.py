"""Small networks of every shape that a classifier may have, with weights that spread pictures.

Inputs are not square where the network allows it: height, width and channels all differ.
"""

from collections.abc import Callable

import keras
import numpy as np
from keras import layers

CLASSES = 3
HEIGHT, WIDTH = 40, 48
SIDE = 44


def pictures(count: int, seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """(count, height, width, 3) float32 in [0, 255], a bright patch somewhere in each."""
    rng = np.random.default_rng(seed)
    pixels = rng.uniform(0, 90, (count, height, width, 3))
    for picture in pixels:
        y, x = rng.integers(0, height - 12), rng.integers(0, width - 12)
        picture[y : y + 12, x : x + 12] += rng.uniform(60, 160, 3)
    return pixels.astype("float32")


def drawn(model: keras.Model, seed: int = 0) -> keras.Model:
    """The model with weights and statistics of a trained one's size."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        shape = tuple(weight.shape)
        if "seed" in weight.path:
            continue
        if weight.name in ("gamma", "moving_variance"):
            values = rng.uniform(0.6, 1.4, shape)
        elif len(shape) > 1:
            values = rng.normal(0, (2 / np.prod(shape[:-1])) ** 0.5, shape)
        else:
            values = rng.normal(0, 0.2, shape)
        weight.assign(values.astype("float32"))
    return model


def _trunk(x: keras.KerasTensor, name: str = "") -> keras.KerasTensor:
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(x)
    x = layers.Conv2D(8, 3, strides=2, use_bias=False, name=f"{name}stem")(x)
    x = layers.BatchNormalization(name=f"{name}bn")(x)
    x = layers.ReLU(name=f"{name}stem_relu")(x)
    shortcut = x
    x = layers.Conv2D(8, 3, padding="same", name=f"{name}inner")(x)
    x = layers.Add(name=f"{name}add")([x, shortcut])
    return layers.Conv2D(6, 3, strides=2, activation="relu", name=f"{name}last")(x)


def _image(channels: int = 3) -> keras.KerasTensor:
    return keras.Input((HEIGHT, WIDTH, channels), name="image")


def flat() -> keras.Model:
    """Convolutions, average pooling, one Dense layer, a Softmax layer."""
    image = _image()
    x = layers.GlobalAveragePooling2D()(_trunk(image))
    x = layers.Dense(CLASSES, name="logits")(x)
    return keras.Model(image, layers.Softmax()(x))


def square() -> keras.Model:
    """Pictures of 44 x 44, as classifiers take them."""
    image = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(6, 5, strides=4, activation="relu", name="last")(image)
    x = layers.GlobalAveragePooling2D()(layers.Rescaling(1 / 100)(x))
    return keras.Model(image, layers.Dense(CLASSES, activation="softmax")(x))


def two_dense() -> keras.Model:
    """A head with a hidden layer and dropout, the softmax inside the last Dense layer."""
    image = _image()
    x = layers.GlobalAveragePooling2D()(_trunk(image))
    x = layers.Dropout(0.5)(layers.Dense(7, activation="relu", name="hidden")(x))
    return keras.Model(image, layers.Dense(CLASSES, activation="softmax", name="scores")(x))


def nested() -> keras.Model:
    """A whole network used as a layer of another, that one again in a Sequential."""
    inner_image = _image()
    base = keras.Model(inner_image, _trunk(inner_image), name="base")
    image = _image()
    x = layers.GlobalAveragePooling2D()(base(layers.RandomFlip(seed=1)(image)))
    outer = keras.Model(image, layers.Dense(CLASSES, name="logits")(x), name="outer")
    return keras.Sequential([_image_layer(), outer, layers.Activation("softmax")])


def _image_layer() -> keras.Layer:
    return layers.InputLayer(shape=(HEIGHT, WIDTH, 3))


def sequential() -> keras.Model:
    """A plain stack that is flattened, not pooled."""
    return keras.Sequential(
        [
            _image_layer(),
            layers.Conv2D(5, 3, strides=2, activation="relu", name="first"),
            layers.Conv2D(4, 3, strides=2, activation="relu", name="second"),
            layers.Flatten(),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )


def pooled() -> keras.Model:
    """Max pooling after the last convolution, as VGG has it."""
    image = _image()
    x = layers.MaxPooling2D(2, name="pool")(_trunk(image))
    x = layers.Dense(CLASSES)(layers.Flatten()(x))
    return keras.Model(image, layers.Softmax()(x))


def squeeze_excite() -> keras.Model:
    """A gate from pooled channels onto the last map."""
    image = _image()
    x = _trunk(image)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(6, 1, activation="sigmoid", name="gate")(gate)
    x = layers.Multiply(name="gated")([x, gate])
    x = layers.Dense(CLASSES)(layers.GlobalMaxPooling2D()(x))
    return keras.Model(image, layers.Softmax()(x))


def two_branches() -> keras.Model:
    """Two networks beside each other, with maps of different sizes."""
    image = _image()
    left = _trunk(image, "left_")
    right = layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    right = layers.Conv2D(4, 5, strides=5, activation="relu", name="right_last")(right)
    pools = [layers.GlobalAveragePooling2D()(each) for each in (left, right)]
    x = layers.Dense(CLASSES, name="logits")(layers.Concatenate()(pools))
    return keras.Model(image, layers.Softmax()(x))


def score_map() -> keras.Model:
    """A convolution that scores each place, averaged: no Dense layer at all (SqueezeNet)."""
    image = _image()
    x = layers.Conv2D(CLASSES, 1, name="classifier")(_trunk(image))
    x = keras.ops.mean(x, axis=(1, 2))
    return keras.Model(image, keras.ops.softmax(x))


def two_outputs() -> keras.Model:
    """Scores, and a map beside them."""
    image = _image()
    x = _trunk(image)
    scores = layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, [layers.Softmax()(scores), x])


def average_of_softmaxes() -> keras.Model:
    """The mean of two classifiers' probabilities, behind which there is no one score."""
    image = _image()
    x = layers.GlobalAveragePooling2D()(_trunk(image))
    answers = [layers.Dense(CLASSES, activation="softmax")(x) for _ in range(2)]
    return keras.Model(image, layers.Average()(answers))


def transformer(pool: str = "class token") -> keras.Model:
    """Two blocks of attention over 5 x 6 patches, read from a class token or from the mean."""
    image = _image()
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    x = layers.Conv2D(16, 8, strides=8, name="patches")(x)
    x = layers.Reshape((30, 16))(x)
    if pool == "class token":
        x = layers.ZeroPadding1D((1, 0))(x)
    for number in (1, 2):
        y = layers.LayerNormalization(name=f"norm_{number}")(x)
        y = layers.MultiHeadAttention(4, 4, name=f"attention_{number}")(y, y)
        x = layers.Add(name=f"attended_{number}")([x, y])
        y = layers.Dense(24, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add(name=f"block_{number}")([x, layers.Dense(16)(y)])
    x = layers.LayerNormalization(name="norm")(x)
    x = x[:, 0] if pool == "class token" else layers.GlobalAveragePooling1D()(x)
    return keras.Model(image, layers.Softmax()(layers.Dense(CLASSES)(x)))


def late_token() -> keras.Model:
    """A class token that joins after the patches have talked (CaiT), repeated for each picture."""
    image = _image()
    x = layers.Conv2D(16, 8, strides=8, activation="relu", name="patches")(image)
    x = layers.Reshape((30, 16))(layers.Rescaling(1 / 50)(x))
    x = layers.Add(name="block")([x, layers.MultiHeadAttention(4, 4)(x, x)])
    row = keras.ops.cast(keras.ops.mean(0 * image, axis=(1, 2, 3)), "int32")
    token = layers.Reshape((1, 16))(layers.Embedding(1, 16, name="token")(row))
    for number in (1, 2):
        everything = layers.Concatenate(axis=1, name=f"joined_{number}")([token, x])
        heard = layers.MultiHeadAttention(4, 4)(token, everything)
        token = layers.Add(name=f"told_{number}")([token, heard])
    last = layers.LayerNormalization(name="norm")(layers.Concatenate(axis=1)([token, x]))
    return keras.Model(image, layers.Softmax()(layers.Dense(CLASSES)(last[:, 0])))


ALL: dict[str, Callable[[], keras.Model]] = {
    make.__name__: make
    for make in (
        *(flat, two_dense, nested, sequential, pooled, squeeze_excite, two_branches, score_map),
        *(two_outputs, average_of_softmaxes, transformer, late_token),
    )
}
