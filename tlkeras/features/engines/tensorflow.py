"""TensorFlow, which is always there: the model as one compiled graph.

`keras.Model.predict` is half as fast as a plain tf.function on a processor, and XLA there slower
than both: twelve times on depthwise convolutions.
"""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tlkeras.features.engines.engine import BATCH, Precision, Run, in_batches
from tlkeras.features.engines.trunk import trunk
from tlkeras.threads import cores

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class TensorFlowEngine:
    """The graph of a Keras model with its weights as constants."""

    run: Run
    streams: int
    name: str = "tensorflow"
    precision: Precision = "float32"
    batch: int = BATCH

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Embeddings (m, d) float32 of pixels (m, h, w, 3) float32 or uint8 in [0, 255]."""
        return in_batches(self.run, pixels, self.batch)


def tensorflow_engine(
    model: "keras.Model", size_px: int, *, streams: int | None = None
) -> TensorFlowEngine:
    """Engine that runs the Keras model as it is now; training it later does not change the engine.

    With the weights as constants TensorFlow merges each convolution with its normalisation and
    activation, a third faster than the function of the model itself. Calls share TensorFlow's own
    threads; two at once still fill the gaps that one leaves.

    Args:
        model: pixels (n, h, w, 3) in [0, 255] → embeddings (n, d).
        size_px: height and width of the pictures.
        streams: threads that call it at once; None: one a core.

    Example::

        engine = tensorflow_engine(build(find("TinyResNet")), 64)
        engine(pixels)                                  # (8, 64, 64, 3) → (8, 128)
    """
    network = trunk(model, size_px)
    return TensorFlowEngine(_frozen(network, size_px), streams or cores())


def compiled(model: "keras.Model", size_px: int) -> Run:
    """The model as a function of pixels (n, size_px, size_px, 3) float32, traced once.

    It follows the model: weights that train are seen by the next call.

    Example::

        forward = compiled(model, 224)
        forward(pixels)                                 # (8, 224, 224, 3) → (8, d)
    """
    import tensorflow as tf

    graph = _traced(model, size_px)
    return lambda pixels: graph(tf.constant(pixels)).numpy()


def _traced(model: "keras.Model", size_px: int) -> "tf.types.experimental.PolymorphicFunction":
    import tensorflow as tf

    shape = tf.TensorSpec((None, size_px, size_px, 3), tf.float32)
    return tf.function(lambda pixels: model(pixels, training=False), input_signature=[shape])


def _frozen(model: "keras.Model", size_px: int) -> Run:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    try:
        graph = convert_variables_to_constants_v2(_traced(model, size_px).get_concrete_function())
    except (ValueError, RuntimeError, tf.errors.OpError) as err:  # 2 GB and more do not fit
        logger.info("TensorFlow runs %s with its weights as variables: %s", model.name, err)
        return compiled(model, size_px)

    def run(pixels: np.ndarray) -> np.ndarray:
        answers = graph(tf.constant(pixels))
        return (answers[0] if isinstance(answers, (list, tuple)) else answers).numpy()

    return run
