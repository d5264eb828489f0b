"""What the first layers get of a picture, against what they were trained on.

black and white ─▶ values at the first layer that learns      scaled twice, once, or not
real pictures ─▶ statistics at the first BatchNormalization   as in training, or not; RGB or BGR
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tlkeras.evaluation.doctor.diagnosis import Symptom
from tlkeras.evaluation.doctor.patient import NORMS, Leaf, Patient, walk

if TYPE_CHECKING:
    from tlkeras.backbones.spec import Preprocessing

NARROW = 0.1
"""A network whose pixels all lie in so small a range sees one grey."""
DRAWS, SURE, RATIO = 200, 0.99, 1.1


@dataclass(frozen=True)
class _Arrival:
    """What pixels are when they reach the first layer that learns.

    `scaling` is None where they were not only scaled, a channel at a time.
    """

    layer: str
    low: float
    high: float
    scaling: "Preprocessing | None"


def pixels(patient: Patient) -> Iterator[Symptom]:
    """Scaling that is missing, done twice, of another kind, or of channels in another order.

    Example::

        list(pixels(Patient(model, "mine", {}, pixels=pictures)))
    """
    if not (patient.takes_pictures and patient.is_graph):
        return
    arrival = _arrival(patient)
    if arrival is None:
        return
    if arrival.high - arrival.low < NARROW:
        yield Symptom(
            "scaled-twice",
            "error",
            f"pixels from 0 to 255 reach '{arrival.layer}' as {arrival.low:.4g} to "
            f"{arrival.high:.4g}: they are scaled more than once, and all pictures look alike",
            "take one of the scalings out: many backbones carry their own (include_preprocessing)",
            (arrival.layer,),
        )
    else:
        yield from _statistics(patient, arrival)


def _arrival(patient: Patient) -> _Arrival | None:
    """How the first layer that learns sees plain black, white, red, green and blue."""
    height, width = patient.size_px
    colours = np.array([[0, 0, 0], [255] * 3, [255, 0, 0], [0, 255, 0], [0, 0, 255]], np.float32)
    plain = np.broadcast_to(colours[:, None, None], (5, height, width, 3))
    seen = _reach(patient, plain, lambda leaf: leaf.learns or leaf.is_norm)
    if seen is None:
        return None
    leaf, given = seen
    if given.ndim != 4 or given.shape[-1] != 3:
        return _Arrival(leaf.path, float(given.min()), float(given.max()), None)
    # The middle: a ZeroPadding2D in between leaves its zeros at the border.
    black, white, *single = given[:, given.shape[1] // 2, given.shape[2] // 2]
    factors = (np.array(single) - black) / 255
    low, high = float(min(black.min(), white.min())), float(max(black.max(), white.max()))
    scaling = _as_scaling(factors, black, white)
    return _Arrival(leaf.path, round(low, 6), round(high, 6), scaling)


def _as_scaling(
    factors: np.ndarray, black: np.ndarray, white: np.ndarray
) -> "Preprocessing | None":
    """The scaling with these factors (3 in, 3 out), if each channel has its own."""
    from tlkeras.backbones.preprocess import named
    from tlkeras.backbones.spec import Scaling

    size = float(np.abs(factors).max())
    if size == 0 or not np.allclose(black + 255 * factors.sum(axis=0), white, atol=1e-3 * size):
        return None  # something that is not linear
    for bgr in (False, True):
        own = np.diag(factors[::-1] if bgr else factors)
        turned = factors[::-1] if bgr else factors
        if own.min() > 0 and np.allclose(turned, np.diag(own), atol=1e-4 * size):
            mean, deviation = (-black / own).tolist(), (1 / own).tolist()
            return named(Scaling(tuple(mean), tuple(deviation), bgr))
    return None


class _Reached(Exception):  # noqa: N818 - no error: it ends the walk
    def __init__(self, leaf: Leaf, given: np.ndarray) -> None:
        super().__init__(leaf.path)
        self.leaf, self.given = leaf, given


def _reach(
    patient: Patient, given: np.ndarray, wanted: Callable[[Leaf], bool]
) -> tuple[Leaf, np.ndarray] | None:
    """The first layer on the way that is wanted, with what it gets; None if there is none."""
    import keras

    leaves = {id(leaf.layer): leaf for leaf in patient.leaves}

    def visit(operation: Any, *args: Any, **kwargs: Any) -> object:
        leaf = leaves.get(id(operation))
        if leaf is not None and wanted(leaf) and args:
            raise _Reached(leaf, np.asarray(args[0], np.float64))
        if getattr(operation, "_call_has_training_arg", False):
            kwargs["training"] = False
        return operation(*args, **kwargs)

    try:
        walk(patient.model, keras.ops.cast(given, patient.model.inputs[0].dtype), visit)
    except _Reached as reached:
        return reached.leaf, reached.given
    return None


@dataclass
class _Probe:
    """Pixels → what the first BatchNormalization gets; remembers which one that was."""

    patient: Patient
    layer: Any = field(default=None)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        reached = _reach(self.patient, pixels, lambda leaf: type(leaf.layer).__name__ in NORMS)
        assert reached is not None
        self.layer = reached[0].layer
        return reached[1]


def _statistics(patient: Patient, arrival: _Arrival) -> Iterator[Symptom]:
    from tlkeras.backbones.foreign.scaling import fit_of_modes, tells

    pictures = patient.pixels
    if pictures is None or len(pictures) < 2 or not patient.norms:
        return
    probe = _Probe(patient)
    probe(pictures[:1])
    if not tells(probe.layer):
        return
    used = arrival.scaling or "none"
    fit = fit_of_modes(probe, probe.layer, used, pictures)
    ranked = sorted(fit.distance.items(), key=lambda item: item[1])
    figures = ", ".join(f"'{name}' {away:.2f}" for name, away in ranked)
    if fit.better is not None:
        outside = used == "none" and not patient.takes_rgb
        yield Symptom(
            "input-range",
            "warning" if outside else "error",
            f"pictures reach '{arrival.layer}' scaled as '{used}', which it was not trained on: "
            f"'{fit.better}' fits far better (distance of the statistics at '{fit.layer}' on "
            f"{len(pictures)} pictures: {figures})",
            f"put '{fit.better}' inside: tl.ImageClassifier(model, preprocessing='{fit.better}')"
            if outside
            else f"scale as '{fit.better}', in place of what is in front of '{arrival.layer}'",
            (arrival.layer, fit.layer),
        )
        return
    if _turned(probe, pictures):
        yield Symptom(
            "channel-order",
            "warning",
            f"with red and blue exchanged the pictures fit '{fit.layer}' better, whichever of them "
            "are drawn: RGB reaches a network that was trained on BGR, or the other way round",
            "exchange the channels in front: keras.ops.flip(x, axis=-1)",
            (fit.layer,),
        )


def _turned(probe: _Probe, pictures: np.ndarray) -> bool:
    """Whether pictures with red and blue exchanged fit better, for nearly every draw of them."""
    from tlkeras.backbones.foreign.scaling import divergence

    axes = (1, 2)
    moments = []
    for each in (pictures, pictures[..., ::-1]):
        given = np.moveaxis(probe(np.ascontiguousarray(each)), probe.layer.axis, -1)
        moments.append((given.mean(axes), (given**2).mean(axes)))
    rng = np.random.default_rng(0)
    better, ratios = 0, []
    for _ in range(DRAWS):
        rows = rng.integers(0, len(pictures), len(pictures))
        as_is, turned = (
            divergence(
                mean[rows].mean(0), square[rows].mean(0) - mean[rows].mean(0) ** 2, probe.layer
            )
            for mean, square in moments
        )
        better += turned < as_is
        ratios.append(as_is / max(turned, 1e-12))
    return better >= SURE * DRAWS and float(np.median(ratios)) > RATIO
