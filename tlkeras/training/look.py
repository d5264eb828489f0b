"""What a network that was fine-tuned makes of pictures it has seen, and of those it has not."""

from dataclasses import dataclass

import numpy as np

from tlkeras.training.boundary import output_of
from tlkeras.training.feed import Feed

MOST_SEEN = 2048


@dataclass(frozen=True, eq=False)
class Look:
    """Embeddings and answers, for what is decided on pictures that training has not touched.

    Attributes:
        vectors: (n, d) float32 embeddings of training pictures, at most 2,048 of them.
        labels: (n,) int class indices.
        unseen: (m, d) float32 embeddings of the validation pictures.
        answers: (m, classes) float32 probabilities of these.
        truth: (m,) int class indices of these.
    """

    vectors: np.ndarray
    labels: np.ndarray
    unseen: np.ndarray
    answers: np.ndarray
    truth: np.ndarray


def look(feed: Feed, embedding: str, seen: np.ndarray, unseen: np.ndarray) -> Look:
    """What the feed's network makes of some of the rows seen and all unseen ones, unvaried.

    Args:
        feed: the pictures and the part of the network that trains.
        embedding: name of the layer that gives the embedding.
        seen: rows (n,) of the training pictures.
        unseen: rows (m,) of the validation pictures.
    """
    import keras

    # In the order of the rows, which are sorted by class: every class has its share.
    some = seen[np.unique(np.linspace(0, len(seen) - 1, MOST_SEEN).astype(int))]
    model = feed.model
    inputs = model.inputs if len(model.inputs) > 1 else model.inputs[0]
    flat = keras.layers.Flatten(dtype="float32", name="embedding_rows")  # no name of the network's
    vectors = flat(output_of(model, embedding))
    both = keras.Model(inputs, [vectors, model.outputs[0]])
    others, answers = feed.outputs(both, unseen)
    return Look(
        feed.outputs(both, some)[0], feed.labels[some], others, answers, feed.labels[unseen]
    )
