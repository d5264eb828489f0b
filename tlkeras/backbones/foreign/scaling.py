"""Whether pixels reach a network as it was trained on them, by what real pictures give.

    pictures ─ each mode ─▶ network ─▶ input of its first BatchNormalization, by channel
                                            mean, variance  ⇄  the moving ones in the file

Under the scaling of the training the two are alike; under another one they are not.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import keras
import numpy as np

from tlkeras.backbones.preprocess import affine
from tlkeras.backbones.spec import MODES, Preprocessing

# Another mode is told when it is this much nearer. On photographs of other data sets than that
# of the training, right ones were found at 0.02 to 0.10, wrong ones from 0.36 on.
_MARGIN, _RATIO = 0.15, 2.5
_LARGEST = 50.0


@dataclass(frozen=True)
class ScalingCheck:
    """How far each preprocessing is from the one that a network was trained with.

    Attributes:
        used: the preprocessing in front of the network.
        layer: whose statistics were compared; empty when there was none to compare.
        distance: by preprocessing; 0 where mean and variance are those of the training.
        pictures: how many were looked at.
    """

    used: Preprocessing
    layer: str = ""
    distance: Mapping[str, float] = field(default_factory=dict)
    pictures: int = 0

    @property
    def better(self) -> str | None:
        """Name of the mode that fits far better than the one used; None when none does."""
        if not self.distance:
            return None
        best = min(self.distance, key=lambda name: self.distance[name])
        own, other = self.distance[str(self.used)], self.distance[best]
        return best if own > other + _MARGIN and own > _RATIO * other else None

    def __str__(self) -> str:
        """One sentence, with figures and with what to do."""
        if not self.layer:
            return (
                f"preprocessing '{self.used}' could not be checked: the network has no "
                "BatchNormalization with statistics of its training to compare the pictures "
                "with; see that it is what the network was trained on"
            )
        ranked = sorted(self.distance.items(), key=lambda item: item[1])
        figures = ", ".join(f"'{name}' {distance:.2f}" for name, distance in ranked)
        measured = (
            f"distance of the inputs of '{self.layer}' from those of its training, on "
            f"{self.pictures} training pictures: {figures}"
        )
        if self.better is None:
            return f"preprocessing '{self.used}' was not found wrong ({measured})"
        return (
            f"preprocessing '{self.used}' looks wrong, '{self.better}' fits far better "
            f"({measured}); if it was trained so, say preprocessing='{self.better}'"
        )


def check_scaling(model: keras.Model, used: Preprocessing, pixels: np.ndarray) -> ScalingCheck:
    """How well the preprocessing in front of a network fits it, beside every other mode.

    Each channel counts with the Kullback-Leibler divergence between the normal distributions
    of what the pictures give and of the moving statistics, cut off at 50; their mean is the
    distance.

    Args:
        model: pixels in [0, 255] → embedding, `used` inside.
        used: what stands in front of the network.
        pixels: (n, h, w, 3) float32 in [0, 255]; a few dozen training pictures.

    Example::

        print(check_scaling(model, "none", pixels))     # 'torch' fits far better …
    """
    norm = _first_norm(model)
    if norm is None or not len(pixels):
        return ScalingCheck(used)
    probe = keras.Model(model.inputs[0], norm._inbound_nodes[0].input_tensors[0])
    return fit_of_modes(lambda given: probe(given, training=False), norm, used, pixels)


def fit_of_modes(
    probe: Callable[[np.ndarray], object],
    norm: keras.layers.BatchNormalization,
    used: Preprocessing,
    pixels: np.ndarray,
) -> ScalingCheck:
    """How well every mode of preprocessing fits the statistics of one BatchNormalization.

    Args:
        probe: pixels (n, h, w, 3) float32 in [0, 255] → what goes into `norm`, `used` inside.
        norm: the layer whose statistics are compared; see `tells`.
        used: what stands in front of the network.
        pixels: a few dozen pictures.

    Example::

        fit_of_modes(probe, model.get_layer("bn_Conv1"), "none", pixels).better
    """
    candidates: dict[str, Preprocessing] = {mode: mode for mode in MODES}
    candidates[str(used)] = used
    distance = {}
    for name, mode in candidates.items():
        given = np.asarray(probe(_as_if(pixels, mode, used)), np.float64)
        channels = np.moveaxis(given, norm.axis, -1).reshape(-1, given.shape[norm.axis])
        distance[name] = divergence(channels.mean(axis=0), channels.var(axis=0), norm)
    return ScalingCheck(used, norm.name, distance, len(pixels))


def tells(norm: keras.layers.BatchNormalization) -> bool:
    """Whether its statistics are of a training: neither untouched nor folded into a layer."""
    mean, variance = np.asarray(norm.moving_mean), np.asarray(norm.moving_variance)
    return bool(np.ptp(variance) > 1e-6 or np.abs(mean).max() > 1e-6)


def divergence(
    mean: np.ndarray, variance: np.ndarray, norm: keras.layers.BatchNormalization
) -> float:
    """How far mean and variance (channels,) are from the moving ones; see `check_scaling`."""
    expected = np.asarray(norm.moving_mean, np.float64)
    # A channel that never varied has a variance of 0: epsilon is what it is divided by.
    spread = np.asarray(norm.moving_variance, np.float64) + norm.epsilon
    variance = variance + norm.epsilon
    ratio = variance / spread
    each = 0.5 * (ratio - 1 - np.log(ratio) + (mean - expected) ** 2 / spread)
    return float(np.minimum(each, _LARGEST).mean())


def _first_norm(model: keras.Model) -> keras.layers.BatchNormalization | None:
    """The one nearest to the input, unless its statistics say nothing."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            return layer if tells(layer) else None
    return None


def _as_if(pixels: np.ndarray, wanted: Preprocessing, used: Preprocessing) -> np.ndarray:
    """Pixels that reach the network as `wanted` gives them, when they go through `used`.

    Resizing is linear and keeps constants, so that it does not matter that it is in between.
    """
    bgr, scale, offset = affine(wanted)
    scaled = (pixels[..., ::-1] if bgr else pixels) * np.array(scale) + np.array(offset)
    bgr, scale, offset = affine(used)
    back = (scaled - np.array(offset)) / np.array(scale)
    return (back[..., ::-1] if bgr else back).astype(np.float32)
