"""What an imported file says about its pixels: preprocessing and size, put into our terms.

mean, std           in pixel units [0, 255], or as fractions of 255 where they are below 1
scale, offset       pixel * scale + offset
channel_order       BGR, where the network takes blue first
Image.*             the metadata properties of the ONNX standard (docs/MetadataProps.md)
"""

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass

from tlkeras.backbones.spec import Preprocessing, Scaling

_WHITE = 255.0
_RANGES: Mapping[str, tuple[float, float]] = {  # of Image.NominalPixelRange: mean, deviation
    "NominalRange_0_255": (0.0, 1.0),
    "Normalized_0_1": (0.0, _WHITE),
    "Normalized_1_1": (_WHITE / 2, _WHITE / 2),
}
_BGR = ("channel_order", "color_space", "Image.BitmapPixelFormat")
_SIZES = ("input_size", "imgsz", "image_size_px")
_LARGEST_PX = 4096


@dataclass(frozen=True)
class Said:
    """What a file says of the pictures it was trained on; None where it says nothing.

    `unread` has what it says of preprocessing in words that are not understood here.
    """

    preprocessing: Preprocessing | None = None
    size_px: int | None = None
    unread: str = ""


def said(facts: Mapping[str, str], *, fractions: bool = False) -> Said:
    """Preprocessing and picture size that an import found in its file.

    Args:
        facts: texts by name, as found.
        fractions: mean and std are known to be of pixels in [0, 1], as timm writes them.

    >>> said({"mean": "[127.5, 127.5, 127.5]", "std": "127.5"}).preprocessing
    'tf'
    >>> said({"mean": "(0.485, 0.456, 0.406)", "std": "(0.229, 0.224, 0.225)"}).preprocessing
    'torch'
    """
    size_px = next((px for name in _SIZES if (px := _side(facts.get(name, "")))), None)
    pair = _pair(facts, fractions=fractions)
    about = {k: v for k, v in facts.items() if k in ("mean", "std", "scale", "offset")}
    if pair is None:
        return Said(size_px=size_px, unread=", ".join(f"{k} = {v}" for k, v in about.items()))
    from tlkeras.backbones.preprocess import named

    bgr = any("bgr" in facts.get(name, "").lower() for name in _BGR)
    return Said(named(Scaling(*pair, bgr)), size_px)


_Channels = tuple[float, float, float]


def _pair(facts: Mapping[str, str], *, fractions: bool) -> tuple[_Channels, _Channels] | None:
    """Mean and deviation in pixel units."""
    mean, deviation = _numbers(facts.get("mean", "")), _numbers(facts.get("std", ""))
    if deviation is not None and (mean is not None or "mean" not in facts):
        mean = mean or (0.0, 0.0, 0.0)
        # No picture has a deviation below 1 in pixel units; 0 and 1 leave the pixels as they are.
        small = max(map(abs, mean)) <= 1 and max(deviation) <= 1
        if fractions or (small and (mean, deviation) != ((0.0,) * 3, (1.0,) * 3)):
            mean = _times(mean, _WHITE)
            deviation = _times(deviation, _WHITE)
        return (mean, deviation) if min(deviation) > 0 else None
    scale, offset = _numbers(facts.get("scale", "")), _numbers(facts.get("offset", "0"))
    if scale is not None and offset is not None and min(scale) > 0:
        first, second, third = (-o / s for o, s in zip(offset, scale, strict=True))
        return (first, second, third), (1 / scale[0], 1 / scale[1], 1 / scale[2])
    nominal = _RANGES.get(facts.get("Image.NominalPixelRange", ""))
    return None if nominal is None else ((nominal[0],) * 3, (nominal[1],) * 3)


def _times(values: _Channels, factor: float) -> _Channels:
    return values[0] * factor, values[1] * factor, values[2] * factor


def _numbers(text: str) -> _Channels | None:
    """One number or three, each of them finite, from a text such as "[0.5, 0.5, 0.5]"."""
    found = _literal(text)
    values = found if isinstance(found, (list, tuple)) else [found]
    numbers = [float(v) for v in values if isinstance(v, (int, float)) and math.isfinite(v)]
    numbers = numbers * 3 if len(values) == 1 else numbers
    return (numbers[0], numbers[1], numbers[2]) if len(numbers) == 3 else None


def _side(text: str) -> int | None:
    """The side of a picture from "224", "[224, 224]" or "(3, 224, 224)"."""
    found = _literal(text)
    values = found if isinstance(found, (list, tuple)) else [found]
    whole = [v for v in values if isinstance(v, int) and 8 <= v <= _LARGEST_PX]
    return max(whole) if whole else None


def _literal(text: str) -> object:
    if not text or len(text) > 1000:
        return None
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None
