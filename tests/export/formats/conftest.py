"""Pixels for the small network of tests/export, and its int8 files, made once."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.export.conftest import NAMES, SIZE_PX
from tlkeras.heads.unknown import UnknownScore


@pytest.fixture(scope="session")
def pixels(pictures: list[bytes]) -> np.ndarray:
    """(36, 48, 48, 3) uint8 of real files."""
    from tlkeras.data.pipeline import pixel_batches

    batches = pixel_batches(pictures, (SIZE_PX, SIZE_PX))
    return np.concatenate([each.pixels for each in batches]).round().astype(np.uint8)


@pytest.fixture(scope="session")
def expected_of(bundle: SimpleNamespace, pixels: np.ndarray) -> np.ndarray:
    """The Keras model's own probabilities, resizing and all; the labels vary."""
    found = np.asarray(bundle.model(pixels.astype(np.float32), training=False))
    assert len(set(found.argmax(axis=1))) >= 3
    return found


@pytest.fixture(scope="session")
def int8_file(
    bundle: SimpleNamespace,
    pixels: np.ndarray,
    expected_of: np.ndarray,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    pytest.importorskip("ai_edge_litert.interpreter")
    from tlkeras.export.formats.litert_file import to_litert

    path = tmp_path_factory.mktemp("int8") / "ants and bees-int8.tflite"
    known = {"validation": (pixels[1::2], expected_of[1::2].argmax(axis=1))}
    return to_litert(bundle, path, kind="int8", pictures=pixels[::2], known=known, max_drop=0.2)


@pytest.fixture(scope="session")
def scored(make_bundle: Callable[..., SimpleNamespace], pixels: np.ndarray) -> SimpleNamespace:
    """A bundle with an unknown score of which half of the pictures are above the limit."""
    made = make_bundle(seed=3)
    kernel = np.random.default_rng(5).normal(0, 2, (10, len(NAMES))).astype("float32")
    vectors = keras_embedding(made, pixels)
    middle = float(np.median(UnknownScore(kernel, 0.0, 0.05, 10)(vectors)))
    score = UnknownScore(kernel, 1.0 - middle, 0.05, 10)
    made.network = SimpleNamespace(unknown=score, size_bytes=0)
    return made


@pytest.fixture(scope="session")
def scored_table(scored: SimpleNamespace, pixels: np.ndarray) -> np.ndarray:
    """(36, c + 1): what Keras says and, of the unknown score, NumPy."""
    probabilities = np.asarray(scored.model(pixels.astype(np.float32), training=False))
    scores = scored.network.unknown(keras_embedding(scored, pixels))
    assert 0.3 < (scores > 1).mean() < 0.7, "flags must vary to prove anything"
    return np.column_stack([probabilities, scores])


@pytest.fixture(scope="session")
def scored_int8(
    scored: SimpleNamespace,
    pixels: np.ndarray,
    scored_table: np.ndarray,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    pytest.importorskip("ai_edge_litert.interpreter")
    from tlkeras.export.formats.litert_file import to_litert

    known = {"validation": (pixels[1::2], scored_table[1::2, :-1].argmax(axis=1))}
    path = tmp_path_factory.mktemp("scored") / "scored.tflite"
    return to_litert(scored, path, kind="int8", pictures=pixels[::2], known=known, max_drop=0.3)


def keras_embedding(made: SimpleNamespace, pixels: np.ndarray) -> np.ndarray:
    import keras

    inside = keras.Model(made.model.inputs[0], made.model.get_layer("embedding").output)
    return np.asarray(inside(pixels.astype(np.float32), training=False))
