"""A trained classifier as a Servable: the signatures of its SavedModel, without TensorFlow.

    serving_default  image_bytes string (n,)       ─▶ label, score, probabilities, ok, unknown…
    embed            image_bytes string (n,)       ─▶ embedding, ok
    predict_images   images uint8 (n, h, w, 3)     ─▶ label, score, probabilities, unknown…
    predict_tensor   images float32 (n, h, w, 3)   ─▶ label, score, probabilities, unknown…

`embed` needs the Keras model where the run folder's ONNX file, of an older release, does not give
the embedding; it is loaded when it is first asked for.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from tlkeras.data.pipeline import load_pixels
from tlkeras.data.resize import resize
from tlkeras.errors import DecodeError
from tlkeras.features.engines.engine import Engine
from tlkeras.tasks.image_classifier import ImageClassifier
from tlkeras.tasks.network.columns import apart
from tlkeras.tasks.network.embedded import Embedded, embedded
from tlkeras.tasks.serving.servable import DEFAULT, Field, Servable, Signature, Tensors
from tlkeras.tasks.serving.tensors import RequestError

CHUNK = 16
"""Pictures that are held decoded, and go through the network, at a time."""

MOST_S = 60.0
"""How long one request may take the network; the largest pictures take a second each."""

Network = Callable[[np.ndarray], np.ndarray]


def servable(classifier: ImageClassifier, name: str) -> Servable:
    """The classifier under that name; its network is loaded and has answered once.

    Each answer is computed in the caller's thread, so that as many can be at work as there
    are threads that ask.

    Raises:
        NotFittedError: there is no trained model yet.

    Example::

        flowers = servable(tl.ImageClassifier.load("runs/flowers"), "flowers")
        rest.respond(flowers, "POST", "/v1/models/flowers:predict", body)
    """
    answers = _Answers(classifier)
    answers.table(np.zeros((1, answers.size_px, answers.size_px, 3), np.float32))
    encoded = {"image_bytes": Field("string", (None,))}
    ok = {"ok": Field("bool", (None,))}
    embedding = Field("float32", (None, answers.width))
    signatures = {
        DEFAULT: Signature(encoded, answers.outputs | ok, answers.of_files),
        "predict_images": answers.of_pixels("uint8"),
        "predict_tensor": answers.of_pixels("float32"),
        "embed": Signature(encoded, {"embedding": embedding} | ok, answers.embedded),
    }
    return Servable(name, signatures, classifier.class_names)


class _Answers:
    """What the signatures compute."""

    def __init__(self, classifier: ImageClassifier) -> None:
        fitted = classifier._trained()
        self.network = fitted.network
        self.names = np.array(fitted.class_names, object)
        self.classes = fitted.network.classes
        self.size_px = fitted.spec.size_px
        self.width = fitted.spec.width
        self.has_score = fitted.network.unknown is not None
        self.table: Engine = self.network.engine(1, self._black)
        self._embed: Embedded | None = None
        self._embed_lock = threading.Lock()
        self.outputs: dict[str, Field] = {
            "label": Field("string", (None,)),
            "score": Field("float32", (None,)),
            "probabilities": Field("float32", (None, self.classes)),
        }
        if self.has_score:
            self.outputs["unknown_score"] = Field("float32", (None,))
            self.outputs["unknown"] = Field("bool", (None,))

    def of_files(self, given: Tensors) -> Tensors:
        """Answers for encoded pictures; one that can't be read has no label and is not ok."""
        table, ok = self._rows(given["image_bytes"], self.table, self.classes + self.has_score)
        return {**self._told(table, ok), "ok": ok}

    def of_pixels(self, dtype: str) -> Signature:
        """The signature for pixels of any size in [0, 255]."""
        size = (self.size_px, self.size_px)

        def answer(given: Tensors) -> Tensors:
            images = given["images"]
            if len(images) and 0 in images.shape:
                raise RequestError(
                    400, f"'images' must have pixels. Received: shape {images.shape}"
                )
            table = np.zeros((len(images), self.classes + self.has_score), np.float32)
            for start in range(0, len(images), CHUNK):
                some = np.stack([resize(image, size) for image in images[start : start + CHUNK]])
                table[start : start + CHUNK] = self.table(some)
            return self._told(table, np.ones(len(images), bool))

        picture = Field("uint8" if dtype == "uint8" else "float32", (None, None, None, 3))
        return Signature({"images": picture}, self.outputs, answer)

    def embedded(self, given: Tensors) -> Tensors:
        """The embeddings of encoded pictures; zeros where one can't be read."""
        with self._embed_lock:
            if self._embed is None:
                self._embed = embedded(self.network, self.table)
        rows, ok = self._rows(given["image_bytes"], self._embed, self.width)
        return {"embedding": rows, "ok": ok}

    def _rows(
        self, files: np.ndarray, network: Network, width: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """The network's (n, width) float32 and bool (n,) which could be read; else zeros."""
        table, ok = np.zeros((len(files), width), np.float32), np.zeros(len(files), bool)
        for rows, pixels in self._decoded(files):
            table[rows] = network(pixels)
            ok[rows] = True
        return table, ok

    def _decoded(self, files: np.ndarray) -> Iterator[tuple[list[int], np.ndarray]]:
        until = time.monotonic() + MOST_S
        for start in range(0, len(files), CHUNK):
            rows, pixels = [], []
            for row in range(start, min(start + CHUNK, len(files))):
                if time.monotonic() > until:
                    raise RequestError(
                        413,
                        f"{row:,} of {len(files):,} pictures took {MOST_S:.0f} s. Send fewer or "
                        "smaller ones",
                    )
                try:
                    pixels.append(load_pixels(files[row], (self.size_px, self.size_px)))
                    rows.append(row)
                except DecodeError:
                    continue
            if rows:
                yield rows, np.stack(pixels)

    def _told(self, table: np.ndarray, ok: np.ndarray) -> Mapping[str, np.ndarray]:
        probabilities, unknown = apart(table, self.classes)
        label = self.names[probabilities.argmax(axis=1)]
        label[~ok] = ""
        score = probabilities.max(axis=1)
        told = {"label": label, "score": score, "probabilities": probabilities}
        if unknown is not None:
            told |= {"unknown_score": unknown, "unknown": unknown > 1}
        return told

    def _black(self) -> np.ndarray:
        return np.zeros((1, self.size_px, self.size_px, 3), np.float32)
