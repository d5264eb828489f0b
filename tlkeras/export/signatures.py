"""What an exported model can be asked, as TensorFlow functions around one trace of the network.

    serving_default  image_bytes string (n,)       ─▶ label, score, probabilities, ok, unknown…
    embed            image_bytes string (n,)       ─▶ embedding, ok
    predict_images   images uint8 (n, h, w, 3)     ─▶ label, score, probabilities, unknown…
    predict_tensor   images float32 (n, h, w, 3)   ─▶ label, score, probabilities, unknown…

label string (n,), score float32 (n,), probabilities float32 (n, c), ok bool (n,), embedding
float32 (n, d); n is free and may be 0, pixels are RGB from 0 to 255. unknown… is unknown_score
float32 (n,), above 1 for pictures unlike the training pictures, and unknown bool (n,), which says
that; both are absent where the classifier has no such score, and 0 and False where not ok.
"""

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import tensorflow as tf

from tlkeras.errors import ExportError
from tlkeras.export.graph.decode import resize
from tlkeras.export.graph.rows import answer_rows, nonempty
from tlkeras.heads.unknown import SHORTEST

if TYPE_CHECKING:
    from tlkeras.bundle.bundle import Bundle
    from tlkeras.heads.unknown import UnknownScore

Outputs = dict[str, tf.Tensor]


class Served(tf.Module):
    """Everything the signatures need; TensorFlow saves what hangs on its attributes."""

    def __init__(self, bundle: "Bundle", assets: Sequence[Path]) -> None:
        super().__init__(name="served")
        model, size_px = bundle.model, int(bundle.backbone["size_px"])
        embedding = model.get_layer(_embedding_layer(bundle)).output
        network = keras.Model(model.inputs[0], [model.outputs[0], embedding])
        self.weights = [variable.value for variable in network.variables]
        self.assets = [tf.saved_model.Asset(str(path)) for path in assets]
        self.size_px = size_px
        self.classes = len(bundle.class_names)
        self.width = int(network.outputs[1].shape[-1])
        self.names = list(bundle.class_names)
        picture = tf.TensorSpec((None, size_px, size_px, 3), tf.float32)
        unknown = bundle.network.unknown
        self.has_score = unknown is not None
        self.columns = self.classes + self.has_score

        # One trace serves all four signatures; the part whose result is unused is pruned.
        @tf.function(input_signature=[picture], autograph=False)
        def run(pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            probabilities, embedding = network(pixels, training=False)
            embedding = tf.reshape(embedding, (-1, self.width))
            answers, embedding = tf.cast(probabilities, tf.float32), tf.cast(embedding, tf.float32)
            if unknown is not None:
                answers = tf.concat([answers, _score(embedding, unknown)], axis=-1)
            return answers, embedding

        self.run = run

    def table(self, pixels: tf.Tensor) -> tf.Tensor:
        """(n, columns) float32: probabilities, and the unknown score if there is one.

        For pixels float32 (n, size_px, size_px, 3), n >= 1.
        """
        return self.run(pixels)[0]

    def embedding(self, pixels: tf.Tensor) -> tf.Tensor:
        """(n, width) float32 for pixels float32 (n, size_px, size_px, 3), n >= 1."""
        return self.run(pixels)[1]

    def answers(self, table: tf.Tensor, ok: tf.Tensor | None = None) -> Outputs:
        """What a table (n, columns) says, by output name; no label where not `ok`."""
        probabilities = table[:, : self.classes]
        label = tf.gather(tf.constant(self.names), tf.argmax(probabilities, -1))
        if ok is not None:
            label = tf.where(ok, label, "")
        score = tf.reduce_max(probabilities, -1)
        outputs = {"label": label, "score": score, "probabilities": probabilities}
        if self.has_score:
            unknown = table[:, self.classes]
            outputs |= {"unknown_score": unknown, "unknown": unknown > 1.0}
        return outputs


def signatures(served: Served) -> dict[str, Callable]:
    """The four functions by name, ready for `tf.saved_model.save`."""
    encoded = tf.TensorSpec((None,), tf.string, name="image_bytes")

    @tf.function(input_signature=[encoded], autograph=False)
    def serving_default(image_bytes: tf.Tensor) -> Outputs:
        table, ok = answer_rows(image_bytes, served.size_px, served.table, served.columns)
        return {**served.answers(table, ok), "ok": ok}

    @tf.function(input_signature=[encoded], autograph=False)
    def embed(image_bytes: tf.Tensor) -> Outputs:
        embedding, ok = answer_rows(image_bytes, served.size_px, served.embedding, served.width)
        return {"embedding": embedding, "ok": ok}

    def from_pixels(dtype: tf.DType) -> Callable:
        @tf.function(
            input_signature=[tf.TensorSpec((None, None, None, 3), dtype, name="images")],
            autograph=False,
        )
        def predict(images: tf.Tensor) -> Outputs:
            def network(pixels: tf.Tensor) -> tf.Tensor:
                return served.table(resize(pixels, served.size_px))

            return served.answers(nonempty(network, images, served.columns))

        return predict

    return {
        "serving_default": serving_default,
        "predict_images": from_pixels(tf.uint8),
        "predict_tensor": from_pixels(tf.float32),
        "embed": embed,
    }


def _score(embedding: tf.Tensor, unknown: "UnknownScore") -> tf.Tensor:
    """(n, 1) float32 of embeddings (n, d); see `UnknownScore`."""
    length = tf.maximum(tf.norm(embedding, axis=-1, keepdims=True), SHORTEST)
    closeness = tf.matmul(embedding / length, tf.constant(unknown.kernel))
    return unknown.offset - tf.reduce_max(closeness, axis=-1, keepdims=True)


def _embedding_layer(bundle: "Bundle") -> str:
    name = str(bundle.backbone["embedding_layer"])
    known = [layer.name for layer in bundle.model.layers]
    if name in known:
        return name
    close = get_close_matches(name, known) or known[-3:]
    raise ExportError(
        f"Expected a layer '{name}' in the model, whose output is the embedding; it has "
        f"{', '.join(close)}. Put the right name into the bundle's embedding_layer."
    )
