"""Keras 1 and 2 networks → Keras 3, from config and arrays alone: no code of a file is run.

    file ─keras_files─▶ config, arrays ─parse─▶ Network ─build─▶ keras.Model ─weights─▶ loaded

Nested models are laid out flat, every layer is trainable, all floats are float32.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras

from converters.errors import ArchitectureNeededError, ConversionError, ReadError
from converters.tf_to_keras import keras_files
from converters.tf_to_keras.found import Found
from converters.tf_to_keras.keras2.archive import place_by_path
from converters.tf_to_keras.keras2.build import build
from converters.tf_to_keras.keras2.into import load_groups
from converters.tf_to_keras.keras2.parse import parse
from converters.tf_to_keras.keras2.tree import Network
from converters.tf_to_keras.keras2.weights import place_by_group

__all__ = ["keras2_to_keras", "load", "one_message", "source_names"]


def keras2_to_keras(
    path: str | Path, *, architecture: keras.Model | None = None, name: str | None = None
) -> keras.Model:
    """A trainable Keras 3 model from a file of Keras 1 or 2: .h5 or .keras.

    A file of weights alone needs `architecture`, a Keras 3 model, which is given the weights by
    layer name, or in order where the names are others. Raises UnsupportedError that lists every
    layer without a counterpart (Lambda, custom classes), ArchitectureNeededError, ReadError.

    Example::

        model = keras2_to_keras("mobilenet_v2_1.0_224.h5")
    """
    return load(path, architecture=architecture, name=name)[0]


def load(
    path: str | Path, *, architecture: keras.Model | None = None, name: str | None = None
) -> tuple[keras.Model, Found]:
    """The model, and what was found beside it."""
    path = Path(path)
    with one_message(path.name):
        zipped = path.suffix == ".keras"
        file = keras_files.read_zip(path) if zipped else keras_files.read_h5(path)
        if architecture is not None:
            load_groups(architecture, file, path.name)
            return architecture, Found()
        if file.config is None:
            raise ArchitectureNeededError(
                f"Expected a network, got weights alone in {path.name} (layers "
                f"{', '.join(list(file.groups)[:4])}, …). Give the network that they belong to: "
                "tf_to_keras(path, architecture=model)."
            )
        network = parse(file.config)
        model, warnings = build(network, file.numbers, name)
        if zipped:
            place_by_path(network, file.paths, path.name)
        else:
            place_by_group(network, file.groups, path.name, file.keras_version)
        return model, Found(source_names=source_names(network), warnings=warnings)


def source_names(network: Network) -> dict[str, str]:
    """Layer name → the path of the layer in the source."""
    return {leaf.layer.name: leaf.path for leaf in network.leaves() if leaf.layer is not None}


@contextmanager
def one_message(label: str) -> Iterator[None]:
    """Turns whatever a malformed config makes Python or Keras raise into a ReadError."""
    try:
        yield
    except ConversionError:
        raise
    except Exception as err:  # a damaged config may break anything that reads it
        raise ReadError(
            f"Expected a network that Keras saved, got {label}, whose config cannot be "
            f"followed ({type(err).__name__}: {err}). Save the network again."
        ) from err
