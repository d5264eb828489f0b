"""A file that Keras itself opens, and what to do about one that it does not."""

from pathlib import Path
from typing import TYPE_CHECKING

from tlkeras.errors import WeightsError

if TYPE_CHECKING:
    import keras


def open_keras(path: Path) -> "keras.Model":
    """The model in a `.keras` or whole-model `.h5` file; no code in it is run.

    Raises:
        WeightsError: Keras does not open it; the message says what to do.

    Example::

        open_keras(Path("my_classifier.keras"))
    """
    import keras

    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as err:  # Keras and h5py raise a dozen kinds for a file they cannot open
        reason = (str(err).strip() or type(err).__name__).splitlines()[0].split(". ")[0]
        raise WeightsError(
            f"Expected a Keras model, got {path}, which does not open ({reason[:200]}). "
            f"{_advice(str(err))}"
        ) from err


def _advice(problem: str) -> str:
    if "ambda" in problem or "marshal" in problem:
        return (
            "It has a Lambda layer, which stores Python code and is not run here: replace it by "
            "a Keras layer in the program that made the file, and save again."
        )
    if "Could not locate" in problem or "Unknown layer" in problem:
        return "It needs a class of its author's: import that, load it, and give the model."
    if "No model config" in problem:
        return "It holds only weights: name its backbone and give the file as weights=…"
    return "It is cut short or something else: save or download it again."
