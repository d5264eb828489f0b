"""Transfer learning with Keras: from a folder of pictures to a served classifier."""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tlkeras.data.folder import ImageFolder
    from tlkeras.heads.adapt import adapt
    from tlkeras.tasks.image_classifier import ImageClassifier
    from tlkeras.training.freeze import freeze, unfreeze
    from tlkeras.training.recipe import Recipe

try:
    __version__ = version("tlkeras")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

_HOMES = {
    "ImageClassifier": "tlkeras.tasks.image_classifier",
    "ImageFolder": "tlkeras.data.folder",
    "Recipe": "tlkeras.training.recipe",
    "adapt": "tlkeras.heads.adapt",
    "freeze": "tlkeras.training.freeze",
    "unfreeze": "tlkeras.training.freeze",
}

__all__ = [
    "ImageClassifier",
    "ImageFolder",
    "Recipe",
    "__version__",
    "adapt",
    "freeze",
    "unfreeze",
]


def __getattr__(name: str) -> object:
    # PEP 562: TensorFlow costs seconds, so a name is loaded when it is first used.
    if name not in _HOMES:
        raise AttributeError(f"module 'tlkeras' has no attribute '{name}'")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
