"""TensorFlow and Keras 2 → Keras 3, whatever the file: layers from config, or a graph.

.h5 .keras  ─▶ keras2     config and arrays, layer by layer
model.json  ─▶ tfjs       TensorFlow.js layers models, Teachable Machine exports
SavedModel, .pb, .tflite ─▶ graphs
"""

from pathlib import Path
from typing import TYPE_CHECKING

from converters.errors import ArchitectureNeededError, ReadError

if TYPE_CHECKING:
    import keras

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"


def tf_to_keras(
    path: str | Path,
    *,
    architecture: "keras.Model | None" = None,
    name: str | None = None,
    **options: object,
) -> "keras.Model":
    """A trainable Keras 3 model from any file of TensorFlow, told by its content.

    Keras 1 and 2 files (.h5, .keras) and TensorFlow.js layers models (model.json or its folder)
    come layer by layer; SavedModel folders, frozen graphs (.pb) and .tflite files as graphs,
    with the options of graph_to_keras.

    Args:
        path: file or folder.
        architecture: for HDF5 files of weights alone: a Keras 3 model, which is given them.
        name: of the model; the source's own unless given.
        options: of graph_to_keras.

    Raises:
        ReadError: a file that is none of these, broken or unsafe.
        UnsupportedError: layers or operators without a counterpart, all at once.
        ArchitectureNeededError: weights alone, and no architecture.

    Example::

        model = tf_to_keras("mobilenet_v2_keras2.h5")
    """
    path = Path(path)
    kind = _kind(path)
    if kind == "graph":
        from converters.tf_to_keras.graphs import graph_to_keras

        return graph_to_keras(path, name=name, **options)  # type: ignore[arg-type]
    if options:
        raise TypeError(
            f"Expected no options for {path.name}, a file of layers, got {sorted(options)}. "
            "They belong to graphs: leave them out."
        )
    from converters.tf_to_keras.certificate import recorded

    if kind == "tfjs":
        from converters.tf_to_keras import tfjs

        return recorded(*tfjs.load(path, name=name), path, "TensorFlow.js")
    return _keras_file(path, kind, architecture, name)


def _kind(path: Path) -> str:
    """'tfjs', 'graph', 'zip' or 'hdf5'."""
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            return "graph"
        if (path / "model.json").is_file():
            return "tfjs"
        raise ReadError(
            f"Expected a folder with saved_model.pb or model.json, got '{path}'. "
            "Give the folder that the network was saved to."
        )
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as err:
        raise ReadError(
            f"Expected a network's file, got '{path}': {err.strerror}. Check the path."
        ) from err
    if start.startswith(_HDF5):
        return "hdf5"
    if start.startswith(_ZIP):
        return "zip"
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return "tfjs"
    if start[4:8] == b"TFL3" or path.suffix in (".pb", ".tflite"):
        return "graph"
    raise ReadError(
        f"Expected HDF5, a .keras archive, a model.json, .pb or .tflite, got '{path.name}' that "
        f"begins with {start[:8]!r}. Give the network's own file."
    )


def _keras_file(
    path: Path, kind: str, architecture: "keras.Model | None", name: str | None
) -> "keras.Model":
    from converters.tf_to_keras import keras2, keras_files
    from converters.tf_to_keras.certificate import recorded

    with keras2.one_message(path.name):
        version = keras_files.version(path, zipped=kind == "zip")
    if architecture is not None and version == "weights":  # of Keras 3
        with keras2.one_message(path.name):
            architecture.load_weights(path)
        return architecture
    if version == "weights":
        raise ArchitectureNeededError(
            f"Expected a network, got weights alone in {path.name}. Give the network that they "
            "belong to: tf_to_keras(path, architecture=model)."
        )
    if version.startswith("3") and architecture is None:
        from converters.doors.keras_file import open_keras

        return open_keras(path)
    model, found = keras2.load(path, architecture=architecture, name=name)
    return recorded(model, found, path, f"Keras {version}")
