"""Which engine: a short trial of each on the user's own network, pictures and machine.

candidates ─ made ─ asked for the reference's embeddings ─ timed, all streams busy ─▶ Choice
               └─ package missing: left out   └─ other numbers: dropped, with the reason
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from tlkeras.errors import BackboneError, MissingExtraError
from tlkeras.features.engines.engine import Engine, Precision
from tlkeras.features.engines.timing import pictures_per_second

logger = logging.getLogger(__name__)

# Largest difference, over the largest embedding. Float32 must be what Keras computes; lower
# precisions are judged by the trained head's answers, and here only for being the same network.
TOLERANCES: Mapping[Precision, float] = {"float32": 1e-4, "bfloat16": 0.25, "int8": 0.5}


@dataclass(frozen=True)
class Choice:
    """The fastest engine that computes what Keras does.

    Args:
        name: its key among the candidates.
        precision: what it multiplies in.
        rates: pictures a second of every candidate that was timed.
        difference: of its embeddings from the reference, over the largest of them.
        dropped: why candidates were not timed, by key.
        engine: it, ready to run; None in a choice that was remembered.
    """

    name: str
    precision: Precision
    rates: Mapping[str, float]
    difference: float
    dropped: Mapping[str, str]
    engine: Engine | None = field(default=None, compare=False, repr=False)

    @property
    def line(self) -> str:
        """One sentence for the run's record.

        >>> Choice("openvino", "float32", {"openvino": 337.2, "litert": 91.0}, 4e-7, {}).line
        'embeddings by openvino in float32: 337 pictures/s (litert 91), within 4e-07 of Keras'
        """
        others = sorted(self.rates.items(), key=lambda pair: -pair[1])
        told = [f"{name} {_figure(rate)}" for name, rate in others if name != self.name]
        told += [f"{name} dropped: {reason}" for name, reason in self.dropped.items()]
        return (
            f"embeddings by {self.name} in {self.precision}: "
            f"{_figure(self.rates[self.name])} pictures/s"
            f"{' (' + ', '.join(told) + ')' if told else ''}, "
            f"within {self.difference:.1g} of Keras"
        )


def choose(
    candidates: Mapping[str, Callable[[], Engine]],
    pixels: np.ndarray,
    reference: np.ndarray | Callable[[np.ndarray], np.ndarray],
    *,
    seconds: float = 0.3,
    handicaps: Mapping[str, float] | None = None,
    bounds: Mapping[str, float] | None = None,
) -> Choice:
    """The fastest of the candidates whose embeddings are the reference's.

    Args:
        candidates: functions that make an engine, by name; one whose package is missing raises
            MissingExtraError and is left out without a word. Float32 embeddings may differ from
            the reference by 1e-4 of the largest of them; `TOLERANCES` has the rest.
        pixels: pictures (m, h, w, 3) of the user's own in [0, 255], eight or so.
        reference: what Keras gives for them, (m, d), or a function that computes it.
        seconds: how long each engine is timed; one call of every stream at least.
        handicaps: what the rate of a candidate is divided by before it is compared, by name.
        bounds: how many times as fast as the reference function a candidate is at most, by
            name; one that can't win against those before it is not made at all.

    Raises:
        BackboneError: no candidate is left; the message has every reason.

    Example::

        choice = choose(
            {
                "onnxruntime": lambda: onnxruntime_engine(onnx_file),
                "openvino": lambda: openvino_engine(onnx_file),
                "tensorflow": lambda: tensorflow_engine(model, 224),
            },
            pixels,
            compiled(model, 224),
        )
        choice.engine(pixels)                   # (16, 224, 224, 3) → (16, 1280)
        choice.line                             # "embeddings by openvino in float32: 337 …"
    """

    def weighed(name: str) -> float:
        return rates[name] / (handicaps or {}).get(name, 1.0)

    def beaten(name: str) -> bool:
        most = (bounds or {}).get(name, float("inf")) * reference_rate
        return best is not None and weighed(best.name) > most / (handicaps or {}).get(name, 1.0)

    began = perf_counter()
    expected = reference(pixels) if callable(reference) else reference
    reference_rate = len(pixels) / max(perf_counter() - began, 1e-9)
    rates: dict[str, float] = {}
    dropped: dict[str, str] = {}
    best: Choice | None = None
    for name, make in candidates.items():
        if beaten(name):
            continue
        try:
            engine = make()
            difference = _difference(engine(pixels), expected)
            if difference <= TOLERANCES[engine.precision]:
                rates[name] = pictures_per_second(engine, pixels, seconds)
                if best is None or weighed(name) > weighed(best.name):
                    best = Choice(name, engine.precision, rates, difference, dropped, engine)
            else:
                dropped[name] = f"its embeddings differ by {difference:.2g} from Keras'"
        except (MissingExtraError, ModuleNotFoundError) as err:
            logger.debug("%s is not tried: %s", name, err)
        except Exception as err:  # engines raise classes of their own that they do not name
            dropped[name] = (str(err).strip() or type(err).__name__).splitlines()[0][:200]
    for name, reason in dropped.items():
        logger.info("engine %s is not used: %s", name, reason)
    if best is None:
        raise _none_left(candidates, dropped)
    return best


def _difference(got: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference over the largest expected number; infinite for NaN."""
    if got.shape != expected.shape:
        raise ValueError(f"its embeddings are {got.shape} instead of {expected.shape}")
    if not np.isfinite(got).all():
        return float("inf")
    largest = float(np.abs(expected).max(initial=0.0))
    return float(np.abs(got - expected).max(initial=0.0)) / (largest or 1.0)


def _none_left(candidates: Mapping[str, object], dropped: Mapping[str, str]) -> BackboneError:
    reasons = "; ".join(f"{name}: {reason}" for name, reason in dropped.items())
    return BackboneError(
        f"Expected an engine that runs the backbone as Keras does, and of {list(candidates)} none "
        f"does ({reasons or 'their packages are not installed'}). TensorFlow's runs every Keras "
        'model in float32: engine="tensorflow".'
    )


def _figure(rate: float) -> str:
    return f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}"
