"""Heat as colour over a picture, without a plotting library.

The scale is plasma's: dark blue, purple, orange, yellow. It grows lighter all the way, so people
with any kind of colour vision, and a print in grey, read the same order from it.
"""

import numpy as np

# plasma of matplotlib (CC0) at nine even steps.
_PLASMA = np.array(
    [
        *((13, 8, 135), (76, 2, 161), (126, 3, 168), (170, 35, 149), (204, 71, 120)),
        *((230, 108, 92), (248, 149, 64), (253, 197, 39), (240, 249, 33)),
    ],
    np.float32,
)
_OPAQUE = 0.72
"""How much of the picture the hottest place hides."""


def to_rgb(heat: np.ndarray) -> np.ndarray:
    """Colours uint8 (…, 3) of heat (…) float in [0, 1].

    >>> to_rgb(np.array([0.0, 1.0])).tolist()
    [[13, 8, 135], [240, 249, 33]]
    """
    steps = np.linspace(0, 1, len(_PLASMA))
    channels = [np.interp(heat, steps, _PLASMA[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def over(pixels: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """The picture uint8 (h, w, 3), paler in colour, with its heat (h, w) in [0, 1] over it.

    Where there is no heat, the picture shows; the hotter, the less.

    >>> over(np.full((1, 1, 3), 90, "uint8"), np.zeros((1, 1))).tolist()
    [[[90, 90, 90]]]
    """
    picture = pixels.astype(np.float32)
    grey = picture @ np.array([0.299, 0.587, 0.114], np.float32)
    pale = 0.35 * picture + 0.65 * grey[..., np.newaxis]
    share = (_OPAQUE * np.clip(1.7 * heat - 0.1, 0, 1))[..., np.newaxis]
    return np.rint((1 - share) * pale + share * to_rgb(heat)).astype(np.uint8)
