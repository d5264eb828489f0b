"""A classifier whose outputs have the names that files of pixels are asked by.

images float32 (n, size_px, size_px, 3) ─┬▶ probabilities float32 (n, c)
                                         ├▶ unknown_score float32 (n,)    if the classifier has one
                                         └▶ embedding float32 (n, d)      if it is asked for
"""

from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np

from tlkeras.heads.unknown import SHORTEST

if TYPE_CHECKING:
    import keras

    from tlkeras.heads.unknown import UnknownScore

IMAGES, PROBABILITIES, SCORE, EMBEDDING = "images", "probabilities", "unknown_score", "embedding"
ROWS, DISTANCES = "embedding_rows", "distances"
"""The layer with the embedding as (n, d); in `unknown_score`, that whose least column it is."""


def named_network(
    model: "keras.Model",
    size_px: int,
    unknown: "UnknownScore | None",
    layer: str = EMBEDDING,
    *,
    embedding: bool = False,
) -> "keras.Model":
    """Keras model of pixels of one size whose outputs are a dictionary; layers are shared.

    Args:
        model: pixels (n, h, w, 3) → probabilities (n, c).
        size_px: height and width of the pictures; a resizing to it is cut off.
        unknown: adds its score.
        layer: name of the layer whose output is the embedding.
        embedding: whether that becomes an output too.

    Example::

        network = named_network(bundle.model, 224, bundle.network.unknown)
        network(pixels)["probabilities"]                  # (8, 224, 224, 3) → (8, 5)
    """
    import keras

    from tlkeras.features.engines.trunk import trunk

    outputs = [model.outputs[0]]
    if unknown is not None or embedding:
        outputs.append(model.get_layer(layer).output)
    cut = trunk(keras.Model(model.inputs[0], outputs, name=model.name), size_px)
    pixels, given = cut.inputs[0], cut.outputs
    if pixels is model.inputs[0]:  # of the user's own model, whose names stay
        pixels = keras.Input(pixels.shape[1:], dtype=pixels.dtype)
        given = keras.tree.flatten(cut(pixels, training=False))
    pixels.name = IMAGES
    # Keras sorts a plain dictionary; the probabilities come first, for whoever takes the first.
    named = OrderedDict([(PROBABILITIES, given[0])])
    if unknown is not None or embedding:
        rows = keras.layers.Flatten(dtype="float32", name=ROWS)(given[1])
        if unknown is not None:
            named[SCORE] = score_network(rows.shape[1], unknown)(rows)
        if embedding:
            named[EMBEDDING] = rows
    return keras.Model(pixels, named, name=model.name)


def score_network(width: int, unknown: "UnknownScore") -> "keras.Model":
    """Embeddings (n, d) → (n,) float32: the least of offset - direction · kernel.

    LiteRT's converter makes one operator, L2_NORMALIZATION, of a square, sum, maximum, root and
    quotient just like these; of others it makes ones that do not compute in whole numbers. A model
    of its own, so that Keras' names for these are none of the classifier's.
    """
    import keras

    vectors = keras.Input((width,), dtype="float32")
    squares = keras.ops.sum(keras.ops.square(vectors), axis=-1, keepdims=True)
    directions = vectors / keras.ops.sqrt(keras.ops.maximum(squares, SHORTEST**2))
    classes = unknown.kernel.shape[1]
    distances = keras.layers.Dense(classes, dtype="float32", name=DISTANCES)
    far = distances(directions)
    distances.set_weights([-unknown.kernel, np.full(classes, unknown.offset, "float32")])
    return keras.Model(vectors, keras.ops.min(far, axis=-1), name=SCORE)
