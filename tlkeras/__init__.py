"""Transfer learning with Keras: from a folder of pictures to a served classifier."""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tlkeras.data.folder import ImageFolder
    from tlkeras.heads.adapt import adapt
    from tlkeras.tasks.choosing.learning_curve import learning_curve
    from tlkeras.tasks.choosing.rank import rank
    from tlkeras.tasks.choosing.scratch import compare_with_scratch
    from tlkeras.tasks.image_classifier import ImageClassifier
    from tlkeras.tasks.trusting.check import check
    from tlkeras.tasks.trusting.compare import compare
    from tlkeras.tasks.trusting.doctor import doctor
    from tlkeras.tasks.trusting.verify import verify
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
    "check": "tlkeras.tasks.trusting.check",
    "compare": "tlkeras.tasks.trusting.compare",
    "compare_with_scratch": "tlkeras.tasks.choosing.scratch",
    "doctor": "tlkeras.tasks.trusting.doctor",
    "freeze": "tlkeras.training.freeze",
    "learning_curve": "tlkeras.tasks.choosing.learning_curve",
    "rank": "tlkeras.tasks.choosing.rank",
    "unfreeze": "tlkeras.training.freeze",
    "verify": "tlkeras.tasks.trusting.verify",
}

__all__ = [
    "ImageClassifier",
    "ImageFolder",
    "Recipe",
    "__version__",
    "adapt",
    "check",
    "compare",
    "compare_with_scratch",
    "doctor",
    "freeze",
    "learning_curve",
    "rank",
    "unfreeze",
    "verify",
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
