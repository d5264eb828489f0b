"""Converts networks between Keras and other frameworks; usable without tlkeras.

    ONNX ─ PyTorch ─ TensorFlow ──▶ trainable Keras model ──▶ ONNX ─ PyTorch ─ TensorFlow ─ LiteRT

Names are loaded on first use: `import converters` loads none of the frameworks.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from converters.errors import (
    ArchitectureNeededError,
    ConversionError,
    MismatchError,
    MissingExtraError,
    NodeError,
    NoReportError,
    ReadError,
    TooLargeError,
    UnsafeFileError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from converters.keras_to_litert import keras_to_litert
    from converters.keras_to_onnx import keras_to_onnx
    from converters.keras_to_tf import keras_to_tf
    from converters.keras_to_torch import keras_to_torch
    from converters.onnx_to_keras import onnx_to_keras
    from converters.parity import Parity, compare
    from converters.report import ImportReport, import_report
    from converters.routes import convert
    from converters.tf_to_keras import tf_to_keras
    from converters.torch_to_keras import torch_to_keras

_HOMES = {
    "ImportReport": "converters.report",
    "Parity": "converters.parity",
    "compare": "converters.parity",
    "convert": "converters.routes",
    "import_report": "converters.report",
    "keras_to_litert": "converters.keras_to_litert",
    "keras_to_onnx": "converters.keras_to_onnx",
    "keras_to_tf": "converters.keras_to_tf",
    "keras_to_torch": "converters.keras_to_torch",
    "onnx_to_keras": "converters.onnx_to_keras",
    "tf_to_keras": "converters.tf_to_keras",
    "torch_to_keras": "converters.torch_to_keras",
}

__all__ = [
    "ArchitectureNeededError",
    "ConversionError",
    "ImportReport",
    "MismatchError",
    "MissingExtraError",
    "NoReportError",
    "NodeError",
    "Parity",
    "ReadError",
    "TooLargeError",
    "UnsafeFileError",
    "UnsupportedError",
    "compare",
    "convert",
    "import_report",
    "keras_to_litert",
    "keras_to_onnx",
    "keras_to_tf",
    "keras_to_torch",
    "onnx_to_keras",
    "tf_to_keras",
    "torch_to_keras",
]


class _Route(ModuleType):
    """A module that is called like the function of its own name.

    `converters.onnx_to_keras` is a package, and the function in it: Python binds a module to
    its parent's name as soon as anything in it is imported, so the two have to be one object.
    """

    def __call__(self, *args: object, **options: object) -> object:
        function: Callable[..., object] = self.__wrapped__
        return function(*args, **options)

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return import_module, (self.__name__,)  # so that a pickled task can name a route

    @property
    def __wrapped__(self) -> Callable[..., object]:
        # inspect.signature and functools look here.
        function: Callable[..., object] = getattr(self, self.__name__.rpartition(".")[2])
        return function


class _Door(ModuleType):
    """This package: makes a route callable when the import system binds it here."""

    def __setattr__(self, name: str, value: object) -> None:
        if name in _HOMES and isinstance(value, ModuleType):
            value.__class__ = _Route
        super().__setattr__(name, value)


def __getattr__(name: str) -> object:
    # PEP 562: a framework costs seconds, so a name is loaded when it is first used.
    if name not in _HOMES:
        raise AttributeError(f"module 'converters' has no attribute '{name}'")
    module = import_module(_HOMES[name])
    value = module if module.__name__ == f"{__name__}.{name}" else getattr(module, name)
    setattr(sys.modules[__name__], name, value)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


sys.modules[__name__].__class__ = _Door
