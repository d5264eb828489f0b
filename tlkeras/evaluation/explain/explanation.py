"""Explanation: a picture, a class, and how much each part of the picture spoke for it."""

from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from tlkeras.errors import DataError
from tlkeras.evaluation.explain import colours
from tlkeras.evaluation.wording import percent, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OVERLAY_PX = 512
MARK = b"drawn by tlkeras explain"
"""The comment in every JPEG of `overlay`, by which a drawing is told from a picture."""

_QUALITY = 88


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """How much each part of a picture spoke for a class.

    Attributes:
        pixels: the upright picture, uint8 (h, w, 3) RGB.
        coarse: the heat as the method gave it, float32 (rows, columns) in [0, 1]; the hottest
            place is 1, all is 0 where nothing spoke for the class.
        label: the class that is explained.
        probability: that the model gives it.
        answer: the class that the model answers.
        method: "gradcam" or "occlusion".
        layer: whose map it is; empty for occlusion.
        name: of the picture.

    >>> heat = np.array([[0.0, 1.0]], "float32")
    >>> picture = np.zeros((20, 40, 3), "uint8")
    >>> Explanation(picture, heat, "rose", 0.9, "rose", "gradcam", "out_relu")
    Explanation(rose 90.0 %, gradcam at out_relu)
    """

    pixels: np.ndarray
    coarse: np.ndarray
    label: str
    probability: float
    answer: str
    method: str
    layer: str = ""
    name: str = ""

    @cached_property
    def heat(self) -> np.ndarray:
        """The heat (h, w) float32 in [0, 1] of every pixel of the picture."""
        height, width = self.pixels.shape[:2]
        return self._heat((width, height))

    def overlay(self, max_px: int | None = OVERLAY_PX) -> bytes:
        """A JPEG of the picture with its heat over it, its longer side at most `max_px`.

        Example::

            Path("explained.jpg").write_bytes(clf.explain("rose.jpg").overlay())
        """
        return _encoded(colours.over(*self._shown(max_px)), "JPEG")

    def masked(self, share: float) -> np.ndarray:
        """The picture uint8 (h, w, 3) with the hottest share of its pixels in its mean colour.

        An explanation that is right names pixels without which the answer is less sure.

        >>> heat = np.array([[0.0, 1.0]], "float32")
        >>> picture = np.zeros((2, 4, 3), "uint8")
        >>> picture[:, :2] = 80
        >>> Explanation(picture, heat, "a", 1.0, "a", "").masked(0.25)[:, :, 0].tolist()
        [[80, 80, 0, 40], [80, 80, 0, 40]]
        """
        if not 0 <= share <= 1:
            raise DataError(
                f"`share` is a part of the pixels, from 0 to 1. Received: {share}. Say 0.2 for "
                "the hottest fifth."
            )
        hot = np.zeros(self.heat.size, bool)
        count = round(share * hot.size)
        if count:
            hot[np.argpartition(self.heat.ravel(), -count)[-count:]] = True
        return replaced(self.pixels, hot.reshape(self.heat.shape))

    def plot(self) -> "Figure":
        """A matplotlib figure: the picture, and the heat over it with its scale.

        Raises:
            MissingExtraError: matplotlib is not installed.

        Example::

            clf.explain("rose.jpg").plot().savefig("rose.png")
        """
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import ListedColormap

        from tlkeras.figures import INK, SOFT, Plot

        small, heat = self._shown(1024)
        ratio = small.shape[0] / small.shape[1]
        plot = Plot(figsize=(9, float(np.clip(4 * ratio, 1.5, 8)) + 0.8), layout="constrained")
        axes = plot.subplots(1, 2)
        for panel, shown in zip(axes, (small, colours.over(small, heat)), strict=True):
            panel.imshow(shown)
            panel.set_axis_off()
        scale = ListedColormap(colours.to_rgb(np.linspace(0, 1, 256)) / 255)
        bar = plot.colorbar(ScalarMappable(cmap=scale), ax=axes, ticks=[0, 1], pad=0.01)
        bar.ax.set_yticklabels(["none", "most"], color=SOFT)
        bar.outline.set_visible(False)
        plot.suptitle(self._headline(), color=INK, fontsize=12, parse_math=False)
        where = f"{self.method}, {self.layer}" if self.layer else self.method
        axes[1].set_title(plain(where), color=SOFT, fontsize=9, parse_math=False)
        axes[0].set_title(plain(Path(self.name).name), color=SOFT, fontsize=9, parse_math=False)
        return plot

    def to_dict(self) -> dict[str, object]:
        """What is said of the picture as plain Python values, ready for JSON; without pixels."""
        return {
            "picture": plain(self.name),
            "label": self.label,
            "probability": self.probability,
            "answer": self.answer,
            "method": self.method,
            "layer": self.layer,
        }

    def __repr__(self) -> str:
        where = f" at {self.layer}" if self.layer else ""
        label = plain(self.label)
        return f"Explanation({label} {percent(self.probability)}, {self.method}{where})"

    def _repr_png_(self) -> bytes:
        return _encoded(colours.over(*self._shown(OVERLAY_PX)), "PNG")

    def _headline(self) -> str:
        said = f"what speaks for {plain(self.label)} ({percent(self.probability)})"
        if not self.coarse.any():
            said = f"nothing speaks for {plain(self.label)} ({percent(self.probability)})"
        return said if self.label == self.answer else f"{said}, answered as {plain(self.answer)}"

    def _heat(self, size: tuple[int, int]) -> np.ndarray:
        enlarged = Image.fromarray(self.coarse).resize(size, Image.Resampling.BILINEAR)
        return np.clip(np.asarray(enlarged), 0, 1)

    def _shown(self, max_px: int | None) -> tuple[np.ndarray, np.ndarray]:
        picture = Image.fromarray(self.pixels)
        if max_px is not None:
            picture.thumbnail((max_px, max_px))
        return np.asarray(picture), self._heat(picture.size)


def replaced(pixels: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Pixels uint8 (h, w, 3) with the mean colour of the whole where a mask (h, w) is true.

    >>> replaced(np.array([[[0, 0, 0], [8, 8, 8]]], "uint8"), np.array([[True, False]])).tolist()
    [[[4, 4, 4], [8, 8, 8]]]
    """
    out = pixels.copy()
    out[where] = np.rint(pixels.mean(axis=(0, 1))).astype(np.uint8)
    return out


def _encoded(pixels: np.ndarray, kind: str) -> bytes:
    out = BytesIO()
    if kind == "JPEG":
        Image.fromarray(pixels).save(out, kind, quality=_QUALITY, comment=MARK)
    else:
        Image.fromarray(pixels).save(out, kind)
    return out.getvalue()
