"""A classifier's network as a bundle holds it: a Keras model now, or only when it is asked for.

TensorFlow takes seconds and half a gigabyte to load. Saving a head on a frozen backbone, or
labelling a picture with a run that has an ONNX file, needs none of it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tlkeras.errors import BundleError

if TYPE_CHECKING:
    import keras

    from tlkeras.heads.unknown import UnknownScore


class Network(Protocol):
    """Pixels (n, h, w, 3) float32 RGB in [0, 255] → probabilities (n, classes) float32."""

    @property
    def model(self) -> "keras.Model":
        """The Keras model; loads TensorFlow."""

    @property
    def classes(self) -> int:
        """How many columns its answers have."""

    @property
    def fingerprint(self) -> str:
        """Of the backbone in it; see `backbones.hashing`."""

    @property
    def unknown(self) -> "UnknownScore | None":
        """What tells pictures unlike the training ones by their embeddings, where there is one."""

    @property
    def size_bytes(self) -> int:
        """What its two files take, to say how much a full disk lacks; a little less or more."""

    def write_keras(self, path: Path) -> None:
        """Writes a .keras file that opens without tlkeras."""

    def write_onnx(self, path: Path) -> bool:
        """Writes an ONNX file that answers the same; False, and no file, where it can't."""


def write_model(model: "keras.Model", path: Path) -> None:
    """Writes a .keras file of a model whose every weight is a number, without its optimizer.

    Raises:
        BundleError: it has several inputs or outputs, or weights that are NaN or infinite.
    """
    check_classifier(model)
    _check_weights(model)
    _without_optimizer(model).save(path)


def check_classifier(model: "keras.Model", classes: int | None = None) -> None:
    """Nothing for a model with one input and one output, of `classes` columns if given.

    Raises:
        BundleError: it has others.
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise BundleError(
            "A classifier takes pictures and gives probabilities: one input, one output. "
            f"Received: {len(model.inputs)} inputs, {len(model.outputs)} outputs. "
            "Save a model that has the others cut off."
        )
    columns = int(model.output_shape[-1])
    if classes is not None and columns != classes:
        raise BundleError(
            f"A model has one output a class. Received: {columns} outputs and {classes} class "
            "names. Save the model with its own classes."
        )


def _check_weights(model: "keras.Model") -> None:
    import keras
    import numpy as np

    for weight in model.weights:
        floating = keras.backend.is_float_dtype(weight.dtype)
        if floating and not np.isfinite(keras.ops.convert_to_numpy(weight)).all():
            raise BundleError(
                f"Every weight of a saved model is a number. Received: NaN or infinity in "
                f"{weight.path}. The training diverged: lower the learning rate and train again."
            )


def _without_optimizer(model: "keras.Model") -> "keras.Model":
    """The same layers as a model that was never compiled: a loss need not be saved."""
    import keras

    if not model.compiled:
        return model
    # A list of one input would make Keras warn at every call with a plain array.
    return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
