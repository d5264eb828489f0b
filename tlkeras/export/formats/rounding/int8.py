"""Networks in whole numbers of eight bits, from the values that real pictures give them."""

from typing import TYPE_CHECKING

import numpy as np

from tlkeras.errors import ExportError

if TYPE_CHECKING:
    import keras

ENOUGH = 100
"""Pictures to calibrate with; more made no difference on the sets that were measured."""
ROUNDING = 0.5
"""How far a resized pixel may be outside 0 to 255; 255.00002 was seen."""
SCALE, ZERO_POINT = 1.0, -128
"""Of the input: a device feeds pixel - 128 as int8."""


def calibration(pictures: np.ndarray | None, size_px: int, *, seed: int = 0) -> np.ndarray:
    """Pixels (m, size_px, size_px, 3) float32 to calibrate with: at most `ENOUGH`, drawn.

    One corner of the first is black and one white, so that the input's range is exactly 0 to
    255 and its scale 1; whole pictures of black or white would stretch every layer's range.

    Raises:
        ExportError: there are none, or they have another shape or range.

    >>> shown = calibration(np.full((3, 8, 8, 3), 90, np.uint8), 8)
    >>> shown.shape, float(shown.min()), float(shown.max())
    ((3, 8, 8, 3), 0.0, 255.0)
    """
    shape = None if pictures is None else pictures.shape
    if pictures is None or shape is None or len(shape) != 4 or not len(pictures):
        raise ExportError(
            "Expected pictures of the training part to calibrate int8 with, (n, size, size, 3), "
            f"n >= 1. Received: {shape}. Hand in a hundred or so."
        )
    if shape[1:] != (size_px, size_px, 3):
        raise ExportError(
            f"Expected pictures of the model's own size, (n, {size_px}, {size_px}, 3). "
            f"Received: {shape}. Resize them as the model's decoder does."
        )
    rows = np.random.default_rng(seed).permutation(len(pictures))[:ENOUGH]
    shown = np.asarray(pictures[np.sort(rows)], np.float32)
    least, most = shown.min(), shown.max()  # NaN fails every comparison
    if not (least >= -ROUNDING and 1 < most <= 255 + ROUNDING):
        raise ExportError(
            "Expected pixels from 0 to 255. Received: "
            f"{least:g} to {most:g}. The model scales them by itself."
        )
    shown = np.clip(shown, 0, 255)
    shown[0, 0, 0], shown[0, -1, -1] = 0, 255
    return shown


def int8_bytes(network: "keras.Model", shown: np.ndarray) -> bytes:
    """The content of a .tflite file whose input, output and every operator are int8.

    Args:
        network: pixels (n, size_px, size_px, 3) → probabilities (n, classes).
        shown: what `calibration` gives.

    Raises:
        ExportError: LiteRT has no operator in whole numbers for a layer.
    """
    import converters
    from converters.keras_to_litert import litert_bytes
    from tlkeras.export.formats.rounding.bias import corrected
    from tlkeras.export.formats.rounding.spread import spread

    try:
        content = litert_bytes(spread(network), "int8", shown)
    except converters.ConversionError as error:
        raise ExportError(f"{network.name} can't be written for LiteRT in int8: {error}") from error
    return corrected(content, network, shown)


def to_int8(pixels: np.ndarray) -> np.ndarray:
    """Pixels in [0, 255], of any shape, as the int8 file takes them.

    >>> to_int8(np.array([0.0, 127.6, 255.0]))
    array([-128,    0,  127], dtype=int8)
    """
    return (np.rint(pixels) + ZERO_POINT).astype(np.int8)
