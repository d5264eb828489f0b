"""The trial keeps the fastest of those that compute what Keras does, and says why."""

import time
from dataclasses import dataclass, field

import numpy as np
import pytest

from tlkeras.errors import BackboneError, MissingExtraError
from tlkeras.features.engines.choice import Choice, choose
from tlkeras.features.engines.engine import Precision
from tlkeras.features.engines.timing import pictures_per_second

PIXELS = np.random.default_rng(5).uniform(0, 255, (6, 5, 4, 3)).astype(np.float32)


def means(pixels: np.ndarray) -> np.ndarray:
    return pixels.mean((1, 2))


@dataclass
class Pretended:
    """An engine that takes `rest_s` a call, and whose embeddings are off by a factor."""

    rest_s: float
    factor: float = 1.0
    precision: Precision = "float32"
    streams: int = 2
    batch: int = 4
    name: str = "pretended"
    calls: list[int] = field(default_factory=list)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        self.calls.append(len(pixels))
        time.sleep(self.rest_s)
        return means(pixels) * self.factor


def missing() -> Pretended:
    raise MissingExtraError("litert", "engines", "A trial")


def broken() -> Pretended:
    raise RuntimeError("operator Foo is unknown\nsecond line")


def test_the_fastest_is_taken() -> None:
    slow, fast = Pretended(0.02), Pretended(0.002)

    choice = choose({"slow": lambda: slow, "fast": lambda: fast}, PIXELS, means, seconds=0.05)

    assert choice.name == "fast"
    assert choice.engine is fast
    assert choice.rates["fast"] > 3 * choice.rates["slow"]
    assert choice.difference == 0
    assert choice.dropped == {}


def test_one_that_cannot_win_is_not_made() -> None:
    def slow_reference(pixels: np.ndarray) -> np.ndarray:
        time.sleep(0.05)
        return means(pixels)

    def heavy() -> Pretended:
        made.append("heavy")
        return Pretended(0.0)

    made: list[str] = []
    engines = {"light": lambda: Pretended(0.002), "heavy": heavy}
    choice = choose(engines, PIXELS, slow_reference, seconds=0.02, bounds={"heavy": 2.0})
    assert (choice.name, made) == ("light", [])
    assert "heavy" not in choice.line
    choice = choose(engines, PIXELS, slow_reference, seconds=0.02, bounds={"heavy": 1e6})
    assert (choice.name, made) == ("heavy", ["heavy"])


def test_one_that_is_costly_to_start_has_to_win_by_its_handicap() -> None:
    engines = {"light": Pretended(0.008), "heavy": Pretended(0.004)}
    candidates = {name: lambda one=one: one for name, one in engines.items()}

    def taken(factor: float) -> str:
        handicaps = {"heavy": factor}
        return choose(candidates, PIXELS, means, seconds=0.05, handicaps=handicaps).name

    assert (taken(1.0), taken(8.0)) == ("heavy", "light")


def test_a_faster_one_with_other_numbers_is_dropped_and_named() -> None:
    wrong = Pretended(0.0, factor=1.001)
    exact = Pretended(0.005, factor=1 + 1e-6)

    choice = choose(
        {"wrong": lambda: wrong, "exact": lambda: exact}, PIXELS, means(PIXELS), seconds=0.02
    )

    assert choice.name == "exact"
    assert "wrong" not in choice.rates
    assert "differ by 0.001" in choice.dropped["wrong"]
    assert "wrong dropped" in choice.line


def test_bfloat16_may_be_further_off_but_must_be_the_same_network() -> None:
    near = Pretended(0.001, factor=1.01, precision="bfloat16")
    other = Pretended(0.001, factor=-1.0, precision="bfloat16")

    choice = choose({"near": lambda: near, "other": lambda: other}, PIXELS, means, seconds=0.02)

    assert (choice.name, choice.precision) == ("near", "bfloat16")
    assert list(choice.dropped) == ["other"]


@pytest.mark.parametrize("factor", [np.nan, np.inf])
def test_numbers_that_are_none_are_dropped(factor: float) -> None:
    with pytest.raises(BackboneError, match="differ by inf"):
        choose({"wild": lambda: Pretended(0.0, factor=factor)}, PIXELS, means)


def test_a_missing_package_is_not_worth_a_word() -> None:
    choice = choose(
        {"litert": missing, "one": lambda: Pretended(0.001)}, PIXELS, means, seconds=0.02
    )

    assert choice.dropped == {}
    assert "litert" not in choice.line


def test_one_that_fails_is_dropped_with_its_first_line() -> None:
    choice = choose(
        {"onnxruntime": broken, "one": lambda: Pretended(0.001)}, PIXELS, means, seconds=0.02
    )

    assert choice.dropped == {"onnxruntime": "operator Foo is unknown"}


def test_one_that_fails_only_when_called_by_threads_is_dropped() -> None:
    class Fragile(Pretended):
        def __call__(self, pixels: np.ndarray) -> np.ndarray:
            if len(self.calls) > 2:
                raise RuntimeError("not from two threads")
            return super().__call__(pixels)

    fragile, sound = Fragile(0.0), Pretended(0.001)
    choice = choose(
        {"fragile": lambda: fragile, "sound": lambda: sound}, PIXELS, means, seconds=0.02
    )

    assert choice.name == "sound"
    assert choice.dropped == {"fragile": "not from two threads"}


def test_embeddings_of_another_shape_are_told() -> None:
    class Wide(Pretended):
        def __call__(self, pixels: np.ndarray) -> np.ndarray:
            return np.ones((len(pixels), 7), np.float32)

    with pytest.raises(BackboneError, match=r"\(6, 7\) instead of \(6, 3\)"):
        choose({"wide": lambda: Wide(0.0)}, PIXELS, means)


def test_no_engine_left_says_every_reason() -> None:
    with pytest.raises(BackboneError, match=r"onnxruntime: operator Foo is unknown"):
        choose({"onnxruntime": broken, "litert": missing}, PIXELS, means)


def test_what_the_user_interrupts_is_not_swallowed() -> None:
    def interrupted() -> Pretended:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        choose({"one": interrupted}, PIXELS, means)


def test_streams_are_busy_at_once_with_full_batches() -> None:
    engine = Pretended(0.01, streams=3, batch=4)

    rate = pictures_per_second(engine, PIXELS[:2], 0.1)

    assert set(engine.calls) == {4}
    assert rate == pytest.approx(3 * 4 / 0.01, rel=0.4)


def test_a_call_longer_than_the_trial_is_made_once_a_stream() -> None:
    engine = Pretended(0.2, streams=2)

    pictures_per_second(engine, PIXELS, 0.01)

    assert len(engine.calls) == 2


def test_the_line_is_one_sentence() -> None:
    rates = {"tensorflow": 91.2, "openvino": 337.4, "onnxruntime": 301.0, "vgg": 3.62}
    choice = Choice("openvino", "float32", rates, 3.9e-7, {"litert": "no operator"})

    assert choice.line == (
        "embeddings by openvino in float32: 337 pictures/s (onnxruntime 301, tensorflow 91, "
        "vgg 3.6, litert dropped: no operator), within 4e-07 of Keras"
    )
