"""Factors move from the head's kernel to the layer before it, and no answer changes."""

import keras
import numpy as np
import pytest

from converters.keras_to_litert import litert_bytes
from tlkeras.export.formats.quality import model_answers
from tlkeras.export.formats.rounding.bias import corrected
from tlkeras.export.formats.rounding.int8 import calibration, int8_bytes
from tlkeras.export.formats.rounding.spread import spread
from tlkeras.export.named import PROBABILITIES, SCORE, named_network
from tlkeras.heads.unknown import UnknownScore

SIDE_PX, WIDTH, CLASSES = 12, 20, 4
layers = keras.layers


def network(last: str = "normalised", head: str = "linear", score: bool = True) -> keras.Model:
    """A small network whose head has one row of weights a thousand times as large as the others."""
    rng = np.random.default_rng(4)
    keras.utils.set_random_seed(5)
    image = keras.Input((None, None, 3))
    x = layers.Resizing(SIDE_PX, SIDE_PX, antialias=True)(image)
    x = layers.Rescaling(1 / 127.5, offset=-1)(x)
    x = layers.Conv2D(WIDTH, 3, activation="relu" if last == "convolved" else None, name="conv")(x)
    if last == "convolved":
        x = layers.MaxPooling2D()(x)
    else:
        x = layers.BatchNormalization(name="norm")(x)
        x = layers.ReLU(max_value=6.0 if last == "capped" else None)(x)
    if last == "branched":
        x = layers.Add()([x, layers.Conv2D(WIDTH, 1)(x)])
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Activation("linear", name="embedding")(x)
    if head == "mlp":
        x = layers.Dropout(0.5)(layers.Dense(9, activation="relu", name="hidden")(x))
    x = layers.Dense(CLASSES, name="logits")(x)
    model = keras.Model(image, layers.Softmax(name="probabilities")(x))
    dense = model.get_layer("hidden" if head == "mlp" else "logits")
    rows = rng.uniform(0.5, 2, (WIDTH, 1))
    rows[7] = 3000.0
    dense.kernel.assign(rng.choice([-1.0, 1.0], dense.kernel.shape) * rows)
    if last == "convolved":
        conv = model.get_layer("conv")
        conv.kernel.assign(np.asarray(conv.kernel) / np.where(np.arange(WIDTH) == 7, 3000, 1))
    else:
        norm = model.get_layer("norm")
        gamma, beta = rng.uniform(0.5, 1, WIDTH), rng.uniform(-0.5, 0.5, WIDTH)
        gamma[7], beta[7] = gamma[7] / 3000, beta[7] / 3000
        norm.gamma.assign(gamma)
        norm.beta.assign(beta)
    kernel = rng.normal(0, 1, (WIDTH, CLASSES)).astype(np.float32)
    unknown = UnknownScore(kernel, 1.5, 0.05, 10) if score else None
    return named_network(model, SIDE_PX, unknown)


def pictures(count: int = 60) -> np.ndarray:
    """Pixels (n, 12, 12, 3) float32 of whole numbers, no two alike in their mean."""
    rng = np.random.default_rng(6)
    level = rng.uniform(20, 235, (count, 1, 1, 3))
    return np.clip(np.rint(level + rng.normal(0, 40, (count, SIDE_PX, SIDE_PX, 3))), 0, 255).astype(
        np.float32
    )


def ratio(kernel: object) -> float:
    """Largest row by smallest row of a kernel, each by its largest weight."""
    rows = np.abs(np.asarray(kernel)).max(axis=1)
    return float(rows.max() / rows.min())


@pytest.mark.parametrize("last", ["normalised", "convolved"])
@pytest.mark.parametrize(("head", "dense"), [("linear", "logits"), ("mlp", "hidden")])
def test_rows_become_even_and_answers_stay(last: str, head: str, dense: str) -> None:
    whole = network(last, head)
    before = [np.array(weight) for weight in whole.weights]
    even = spread(whole)
    assert ratio(whole.get_layer(dense).kernel) > 1000
    assert ratio(even.get_layer(dense).kernel) == pytest.approx(1, rel=1e-5)
    shown = pictures(8)
    expected, found = whole(shown), even(shown)
    assert list(found) == [PROBABILITIES, SCORE]
    for name in (PROBABILITIES, SCORE):
        assert np.ptp(np.asarray(expected[name]), axis=0).max() > 1e-3
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-4)
    assert all(np.array_equal(*pair) for pair in zip(before, whole.weights, strict=True))


@pytest.mark.parametrize("last", ["capped", "branched"])
def test_what_lets_no_factor_through_stays(last: str) -> None:
    whole = network(last)
    assert spread(whole) is whole


def test_a_row_of_zeros_stays_a_row_of_zeros() -> None:
    whole = network(score=False)
    kernel = np.asarray(whole.get_layer("logits").kernel).copy()
    kernel[3] = 0
    whole.get_layer("logits").kernel.assign(kernel)
    even = spread(whole)
    assert not np.asarray(even.get_layer("logits").kernel)[3].any()
    shown = pictures(8)
    np.testing.assert_allclose(even(shown)[PROBABILITIES], whole(shown)[PROBABILITIES], atol=1e-4)


def test_files_in_whole_numbers_keep_labels_that_they_would_lose() -> None:
    pytest.importorskip("ai_edge_litert.interpreter")
    from tlkeras.export.formats.interpreter import answers_of

    whole, shown = network(score=False), pictures()
    common = np.log(model_answers(whole, shown)).mean(axis=0)
    whole.get_layer("logits").bias.assign(-common)  # every class is the answer to some picture
    labels = model_answers(whole, shown).argmax(axis=1)
    assert len(set(labels.tolist())) >= 3

    def agreement(content: bytes) -> float:
        return float((answers_of(content)(shown).argmax(axis=1) == labels).mean())

    samples = calibration(shown, SIDE_PX)
    as_it_was = corrected(litert_bytes(whole, "int8", samples), whole, samples)
    assert agreement(as_it_was) < 0.9
    assert agreement(int8_bytes(whole, samples)) > 0.95
