"""A Keras classifier with its unknown score as one more column, and the two apart again."""

from typing import TYPE_CHECKING, Any

import numpy as np

from tlkeras.errors import BundleError
from tlkeras.export.named import ROWS, score_network
from tlkeras.heads.unknown import UnknownScore
from tlkeras.tasks.network.assembly import EMBEDDING

if TYPE_CHECKING:
    import keras


def with_embedding(model: "keras.Model") -> "keras.Model":
    """The classifier with a second output: probabilities (n, classes), embedding (n, d)."""
    import keras

    rows = keras.layers.Flatten(dtype="float32", name=ROWS)(model.get_layer(EMBEDDING).output)
    return keras.Model(model.inputs[0], [model.outputs[0], rows], name=model.name)


def with_score(model: "keras.Model", unknown: UnknownScore | None) -> "keras.Model":
    """Pixels → (n, classes + 1), the score last; the model itself where there is no score.

    All that is added has a name of its own: one that Keras gives may be the classifier's already.
    """
    import keras

    if unknown is None:
        return model
    both = with_embedding(model)
    probabilities, rows = both.outputs
    scores = score_network(rows.shape[1], unknown)(rows)
    column = keras.layers.Reshape((1,), dtype="float32", name="unknown_column")(scores)
    joined = keras.layers.Concatenate(dtype="float32", name="answers")([probabilities, column])
    return keras.Model(both.inputs[0], joined)


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
