"""A Keras model as a SavedModel that plain TensorFlow loads and, if wanted, trains on.

model ─▶ temporary folder ─ loaded again, same answers? ─▶ renamed
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from converters.errors import ConversionError
from converters.exported import (
    check_has_graph,
    input_names,
    output_names,
    quiet,
    staged,
    verify_export,
)
from converters.nested import packed

if TYPE_CHECKING:
    import keras

logger = logging.getLogger(__name__)

_SAVED_MODEL = "saved_model.pb"
_PARTS = {_SAVED_MODEL, "variables", "assets", "assets.extra", "fingerprint.pb"}


def keras_to_tf(
    model: "keras.Model", folder: str | Path, *, inputs: Sequence[np.ndarray] | None = None
) -> Path:
    """The folder, once a SavedModel is there that gives the same answers.

    Its signature `serving_default` takes and gives tensors by the names of the model's inputs
    and outputs, (n, ...) with an open batch; every float output is float32. The weights stay
    variables. A SavedModel that stood in the folder is replaced; anything else there is refused.

    Args:
        model: Functional or Sequential.
        folder: where the SavedModel goes.
        inputs: an example for each input, (n, ...), to verify with; random ones if None.

    Raises:
        MismatchError: the SavedModel answers differently; none is left.
        ConversionError: the folder holds something else, or TensorFlow cannot save the model.

    Example::

        keras_to_tf(model, "served/1")
        tf.saved_model.load("served/1").signatures["serving_default"](image=pixels)
    """
    check_has_graph(model)
    _check_target(Path(folder))
    with staged(folder) as fresh:
        save(model, fresh)
        worst = verify_export(model, _served(model, fresh), "the SavedModel", given=inputs)
    logger.info("%s answers like the Keras model: largest difference %.2g", folder, worst)
    return Path(folder)


def _check_target(target: Path) -> None:
    if not target.exists():
        return
    found = {entry.name for entry in target.iterdir()} if target.is_dir() else {target.name}
    if not target.is_dir() or found - _PARTS or (found and _SAVED_MODEL not in found):
        raise ConversionError(
            f"Expected '{target}' to be absent, empty or a SavedModel, which is replaced; "
            f"it holds {', '.join(sorted(found)[:5])}. Name another folder."
        )


def save(model: Any, folder: Path, named_like: Any = None) -> None:
    """Fill a folder with the SavedModel of `model`; nothing is verified.

    Inputs and outputs are named as those of `named_like`, where that is given.
    """
    import keras
    import tensorflow as tf

    names, results = input_names(named_like or model), output_names(named_like or model)

    def answer(**tensors: Any) -> dict[str, Any]:
        fed = packed(model, [tensors[name] for name in names])
        outputs = keras.tree.flatten(model(fed, training=False))
        floats = [tf.cast(o, tf.float32) if o.dtype.is_floating else o for o in outputs]
        return dict(zip(results, floats, strict=True))

    specs = {
        name: tf.TensorSpec(tensor.shape, tensor.dtype, name=name)
        for name, tensor in zip(names, model.inputs, strict=True)
    }
    served = tf.Module()
    # By themselves, not inside the model: LiteRT's converter would take them for empty ones.
    served.weights = [variable.value for variable in model.variables]
    served.tables = [layer.lookup_table for layer in _layers(model) if _has_table(layer)]
    served.serve = tf.function(answer)
    try:
        signature = served.serve.get_concrete_function(**specs)
        with quiet("tensorflow"):
            tf.saved_model.save(served, str(folder), signatures={"serving_default": signature})
    except (tf.errors.OpError, AssertionError, ValueError, TypeError) as err:
        raise ConversionError(
            f"Expected TensorFlow to save the model into '{folder.parent.parent}', but: {err}. "
            "See that the disk has room, and that every layer of the model runs as a graph."
        ) from err


def _layers(model: Any) -> list[Any]:
    return list(model._flatten_layers(include_self=False, recursive=True))


def _has_table(layer: Any) -> bool:
    """Whether a layer looks strings or numbers up, in a table that has to be saved with it."""
    return getattr(layer, "lookup_table", None) is not None


def _served(model: Any, folder: Path) -> Any:
    import tensorflow as tf

    signature = tf.saved_model.load(str(folder)).signatures["serving_default"]
    names, results = input_names(model), output_names(model)

    def answers(shown: Sequence[np.ndarray]) -> list[np.ndarray]:
        fed = {name: tf.constant(array) for name, array in zip(names, shown, strict=True)}
        found = signature(**fed)
        return [found[name].numpy() for name in results]

    return answers
