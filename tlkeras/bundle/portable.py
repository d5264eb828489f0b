"""A model file that the next person can open: Keras' own layers, and no code inside.

model.keras (zip) ─ its members ─ config.json ─ every object in it ─▶ what plain Keras could
                                                                     not, or must not, build
model.onnx ─ on the wire ─▶ other files, loops and constants of any size
"""

from pathlib import Path

from tlkeras.backbones.foreign import doors
from tlkeras.errors import BundleError, WeightsError


def check_portable(path: Path) -> None:
    """Nothing when the .keras file needs Keras alone, BundleError naming the layers when not."""
    try:
        doors.check_keras(path)
    except WeightsError as error:
        raise BundleError(
            "A saved model is a Keras 3 model file of Keras' own layers, without Lambda, so that "
            f"it opens anywhere and runs no hidden code. Received: {path.name}. {error}"
        ) from error


def check_one_piece(path: Path) -> None:
    """Nothing when the .onnx file can be given to a runtime, BundleError saying why when not."""
    try:
        doors.check_onnx(path)
    except WeightsError as error:
        raise BundleError(
            "The ONNX file of a run folder is of one piece, as save() writes it. Received: "
            f"{path.name}. {error}"
        ) from error
