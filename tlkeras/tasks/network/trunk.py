"""The frozen part of a network that is fine-tuned, run by ONNX Runtime."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from tlkeras.export.engine_files import write_onnx
from tlkeras.features.engines.onnxruntime import onnx_session
from tlkeras.threads import cores

if TYPE_CHECKING:
    import keras


def onnx_trunk(model: "keras.Model", size_px: int) -> Callable[[np.ndarray], list[np.ndarray]]:
    """A function of pixels (m, size_px, size_px, 3) that gives every output of the model.

    Raises:
        TlkerasError: the model can't be written as ONNX, or onnxruntime is missing.

    Example::

        run = onnx_trunk(keras.Model(model.input, [block_12.output]), 224)
        activations, = run(pixels)
    """
    with TemporaryDirectory(prefix="tlkeras-", ignore_cleanup_errors=True) as folder:
        session = onnx_session(write_onnx(model, size_px, Path(folder) / "trunk.onnx"), cores())
    name = session.get_inputs()[0].name
    return lambda pixels: [np.asarray(value) for value in session.run(None, {name: pixels})]
