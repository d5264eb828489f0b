"""The embedding that a trained classifier makes of pixels, without Keras where its file has it."""

import threading
from collections.abc import Callable

import numpy as np

from tlkeras.features.engines.engine import Engine
from tlkeras.features.engines.onnxruntime import OnnxRuntimeEngine
from tlkeras.tasks.network.answering import WithHead
from tlkeras.tasks.network.assembly import EMBEDDING
from tlkeras.tasks.network.columns import with_embedding
from tlkeras.tasks.network.forms import Classifying

Embedded = Callable[[np.ndarray], np.ndarray]
"""Pixels (n, size_px, size_px, 3) float32 in [0, 255] → embeddings (n, d) float32."""


def embedded(network: Classifying, engine: Engine) -> Embedded:
    """A function from pixels to embeddings that several threads may call at once.

    `engine` is the one that answers for the network. A frozen backbone's head follows an engine
    that embeds; a run folder's file, open in ONNX Runtime, has the embedding among its outputs.
    Of others the Keras model is loaded, which lends itself to one thread at a time.

    Example::

        embedded(network, network.engine(1, sample))(pixels)     # (8, 224, 224, 3) → (8, 1280)
    """
    if isinstance(engine, WithHead):
        return engine.embed
    if isinstance(engine, OnnxRuntimeEngine):
        session = engine.session
        if EMBEDDING in (each.name for each in session.get_outputs()):
            name = session.get_inputs()[0].name
            return lambda pixels: np.asarray(session.run([EMBEDDING], {name: pixels})[0])
    model, lock = with_embedding(network.model), threading.Lock()

    def by_keras(pixels: np.ndarray) -> np.ndarray:
        with lock:
            return np.asarray(model(pixels, training=False)[1])

    return by_keras
