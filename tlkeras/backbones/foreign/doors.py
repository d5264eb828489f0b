"""Files from elsewhere, looked through before Keras or a runtime opens them.

The only door to `converters.doors` for the rooms of tlkeras: errors come out as ours.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tlkeras.errors import WeightsError

if TYPE_CHECKING:
    import h5py
    import keras


def open_keras(path: Path) -> "keras.Model":
    """The model in a `.keras` or whole-model `.h5` file; no code in it is run.

    Raises:
        WeightsError: code or foreign classes in it, or Keras does not open it; the message says
            what to do.

    Example::

        open_keras(Path("my_classifier.keras"))
    """
    from converters.doors import keras_file

    with _ours():
        return keras_file.open_keras(path)


def check_keras(path: Path) -> None:
    """Nothing for a `.keras` archive of Keras' own layers that stays in its folder.

    Raises:
        WeightsError: code, foreign classes or members that lead outside; or no such archive.

    Example::

        check_keras(Path("runs/flowers/model.keras"))
    """
    from converters.doors import keras_file

    with _ours():
        keras_file.check_keras(path, weights=False)


def check_onnx(path: Path) -> None:
    """Nothing for an ONNX file of one piece, without loops or constants of any size.

    Raises:
        WeightsError: another one.

    Example::

        check_onnx(Path("runs/flowers/model.onnx"))
    """
    from converters.doors.onnx_file import check_runnable

    with _ours():
        check_runnable(path)


def configs(path: Path) -> tuple[object, object]:
    """Configuration of the model in a file, and how it was compiled (None: not told).

    Raises:
        WeightsError: neither a `.keras` archive nor HDF5 of a whole model, or a broken one.

    Example::

        configs(Path("my_classifier.keras"))
    """
    from converters.doors.keras_file import configs_of

    with _ours():
        return configs_of(path)


def read_json(path: Path) -> object:
    """The value in a JSON file of bounded size and depth.

    Raises:
        WeightsError: too large, nested too deep, or no JSON.

    Example::

        read_json(Path("runs/flowers/bundle.json"))
    """
    from converters.doors import json_text

    with _ours():
        content = json_text.first_bytes(path, json_text.MOST_BYTES + 1)
        return json_text.read_json(content, path.name)


def parse_json(data: bytes, label: str) -> object:
    """The value of a JSON text of bounded size and depth.

    Args:
        data: UTF-8.
        label: what it was read from, for messages.

    Raises:
        WeightsError: too large, nested too deep, or no JSON.

    >>> parse_json(b'{"epoch": 3}', "a checkpoint")
    {'epoch': 3}
    """
    from converters.doors import json_text

    with _ours():
        return json_text.read_json(data, label)


def check_objects(config: object, label: str) -> None:
    """Nothing for a configuration of Keras' own objects, as read from JSON.

    Raises:
        WeightsError: code or foreign classes in it; the message names them.

    Example::

        check_objects([{"class_name": "Dense", "module": "keras.layers"}], "the head")
    """
    from converters.doors.keras_config import refused_objects

    refused = refused_objects(config)
    if refused:
        raise WeightsError(
            f"Expected Keras' own layers in {label}, got {', '.join(refused[:5])}. Nothing of it "
            "was built. Build the same from keras.layers."
        )


@contextmanager
def open_hdf5(path: Path) -> "Iterator[h5py.File]":
    """The HDF5 file, read only, once its links and sizes were checked.

    Raises:
        WeightsError: no whole HDF5 file, or one that leads to another file.

    Example::

        with open_hdf5(Path("mobilenet.weights.h5")) as file: list(file)
    """
    from converters.tf_to_keras.h5 import open_h5

    with _ours(), open_h5(path, str(path)) as file:
        yield file


@contextmanager
def _ours() -> Iterator[None]:
    from converters import ConversionError

    try:
        yield
    except ConversionError as err:
        raise WeightsError(str(err)) from err
