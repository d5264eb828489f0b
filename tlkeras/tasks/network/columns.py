"""A Keras classifier with its unknown score as one more column, and the two apart again."""

from typing import TYPE_CHECKING, Any

import numpy as np

from tlkeras.errors import BundleError
from tlkeras.heads.unknown import SHORTEST, UnknownScore
from tlkeras.tasks.network.assembly import EMBEDDING

if TYPE_CHECKING:
    import keras


def with_embedding(model: "keras.Model") -> "keras.Model":
    """The classifier with a second output: probabilities (n, classes), embedding (n, d)."""
    import keras

    vectors = keras.layers.Flatten(dtype="float32")(model.get_layer(EMBEDDING).output)
    return keras.Model(model.inputs[0], [model.outputs[0], vectors], name=model.name)


def with_score(model: "keras.Model", unknown: UnknownScore | None) -> "keras.Model":
    """Pixels → (n, classes + 1), the score last; the model itself where there is no score."""
    import keras

    if unknown is None:
        return model
    both = with_embedding(model)
    probabilities, vectors = both.outputs
    length = keras.ops.sqrt(keras.ops.sum(vectors * vectors, axis=-1, keepdims=True))
    products = keras.layers.Dense(unknown.kernel.shape[1], use_bias=False, dtype="float32")
    closeness = products(vectors / keras.ops.maximum(length, SHORTEST))
    products.set_weights([unknown.kernel])
    score = unknown.offset - keras.ops.max(closeness, axis=-1, keepdims=True)
    answers = keras.ops.cast(probabilities, "float32")
    return keras.Model(both.inputs[0], keras.ops.concatenate([answers, score], axis=-1))


def apart(table: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Probabilities (n, classes), and scores (n,) or None where the table has none.

    >>> probabilities, scores = apart(np.array([[0.2, 0.8, 1.5]]), 2)
    >>> probabilities.tolist(), scores.tolist()
    ([[0.2, 0.8]], [1.5])
    """
    has_score = table.shape[1] > classes
    return table[:, :classes], table[:, classes] if has_score else None


def check_ends(session: Any, size_px: int, classes: int) -> None:
    """Nothing for an ONNX session from pictures to probabilities, of this size and so many.

    Raises:
        BundleError: it takes or gives something else.

    Example::

        check_ends(onnx_session("runs/flowers/model.onnx", 1), 224, 5)
    """
    taken = [list(entry.shape) for entry in session.get_inputs()]
    given = list(session.get_outputs()[0].shape)
    if [shape[1:] for shape in taken] != [[size_px, size_px, 3]] or given[1:] != [classes]:
        raise BundleError(
            f"The ONNX file of a run takes pictures (n, {size_px}, {size_px}, 3) and gives (n, "
            f"{classes}). Received: {taken} and {given}. Save the run again."
        )
